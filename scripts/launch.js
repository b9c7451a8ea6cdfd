// Starts a program of this repository: `node scripts/launch.js [--dev | --watch] app/main.ts
// [...]`.
//
// Every npm script uses it. It is JavaScript for Node 18, because npm can run on any Node, which
// might stop at the first type annotation with a stack trace. If that Node is too old, this uses
// the Node that package.json pins, or says in one sentence what to do.
//
// It also reads .env, so that all commands have the same settings. With --dev, for commands with a
// service and a database of their own, it does not read .env, and checks that the development
// dependencies are installed. With --watch it restarts the program when the code changes.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, realpathSync, watch } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as util from "node:util";

const EXIT_FAILED = 1;

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** @typedef {Record<string, string>} Versions */

const manifest = /** @type {{ devDependencies?: Versions, optionalDependencies?: Versions }} */ (
  JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
);

/** The npm package with Node for this platform. */
const platform = process.platform === "win32" ? "win" : process.platform;
const prefix = platform === "darwin" && process.arch === "arm64" ? "node-bin" : "node";
const nodePackage = `${prefix}-${platform}-${process.arch}`;

/** The Node version that the code is tested with; undefined on a platform without a package. */
const pinned = manifest.optionalDependencies?.[nodePackage];

/** The oldest Node that runs TypeScript. */
const OLDEST = "22.18.0";

/**
 * @param {string} version such as 26.10.0
 * @param {string} other
 */
const isOlder = (version, other) => {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split(".").map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
};

/** The path of the pinned Node; undefined if it is not installed, or runs this. */
const findPinned = () => {
  const program = process.platform === "win32" ? "bin/node.exe" : "bin/node";
  const path = join(root, "node_modules", nodePackage, program);
  return existsSync(path) && realpathSync(path) !== process.execPath ? path : undefined;
};

/**
 * @param {string} sentence
 * @returns {never}
 */
const stop = (sentence) => {
  process.stderr.write(`${sentence}\n`);
  process.exit(EXIT_FAILED);
};

/**
 * Forwards signals to the child. Without a child they end this process.
 * @param {() => import("node:child_process").ChildProcess | undefined} child
 */
const passSignalsTo = (child) => {
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => {
      const running = child();
      if (running === undefined) process.exit(exitCodeOf(null, signal));
      // Ctrl-C in a terminal also reaches the child, and a second signal prevents a clean end.
      if (signal !== "SIGINT" || !process.stdin.isTTY) running.kill(signal);
    });
  }
};

/**
 * The exit code that a shell reports for a process.
 * @param {number | null} code
 * @param {NodeJS.Signals | null} signal
 */
const exitCodeOf = (code, signal) =>
  code ?? 128 + (signal === null ? 0 : constants.signals[signal]);

/**
 * Runs the same command on another Node, forwards signals, and ends with the same exit code.
 * @param {string} node
 */
const runOn = (node) => {
  // Before the child starts: a signal in between would end only this process.
  passSignalsTo(() => child);
  const child = spawn(node, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: "inherit",
    // Programs that the command starts by name use the same Node.
    env: { ...process.env, PATH: dirname(node) + delimiter + (process.env["PATH"] ?? "") },
  });
  child.on("error", (error) => {
    stop(`The Node in ${node} cannot be run (${error.message}). ${HOW_TO_INSTALL}`);
  });
  child.on("exit", (code, signal) => {
    process.exit(exitCodeOf(code, signal));
  });
};

/** The folders with the code of the service. */
const CODE = ["core", "adapters", "app", "db"];

/** An editor or git can write many files. The program restarts when they have settled. */
const SETTLE_MS = 100;

/**
 * Runs a program, and restarts it when the code changes. Ends when the program ends, unless it
 * failed: then the next change may fix it.
 *
 * Node's own --watch waits for a change after a signal, and continues to run when npm has ended.
 * @param {ReadonlyArray<string>} args
 */
const runAndWatch = (args) => {
  /** @type {import("node:child_process").ChildProcess | undefined} */
  let child;
  let changed = false;
  let signalled = false;
  /** @type {NodeJS.Timeout | undefined} */
  let settling;
  const start = () => {
    changed = false;
    const command = [...process.execArgv, fileURLToPath(import.meta.url), ...args];
    child = spawn(process.execPath, command, { stdio: "inherit" });
    child.on("exit", (code, signal) => {
      child = undefined;
      if (changed && !signalled) return start();
      if (signalled || code === 0 || code === null) process.exit(exitCodeOf(code, signal));
      process.stderr.write("The program restarts when the code changes.\n");
    });
  };
  const restart = () => {
    changed = true;
    if (child === undefined) start();
    else child.kill("SIGTERM");
  };
  passSignalsTo(() => {
    signalled = true;
    return child;
  });
  for (const folder of CODE) {
    watch(join(root, folder), { recursive: true }, () => {
      clearTimeout(settling);
      settling = setTimeout(restart, SETTLE_MS);
    });
  }
  start();
};

const HOW_TO_INSTALL =
  pinned === undefined
    ? `Install Node ${OLDEST} or newer.`
    : `Run "npm ci" without leaving out optional packages, or install Node ${OLDEST} or newer.`;

/** Reads the settings in .env, which do not override variables. */
const readDotEnv = () => {
  const path = resolve(".env");
  if (!existsSync(path)) return;
  const text = readText(path).replace(/^\uFEFF/, "");
  const line = firstUnreadableLine(text);
  if (line !== undefined) {
    stop(
      `Line ${line} of ${path} is not a setting. Write each setting on a line of its own as NAME=value, ` +
        "such as PORT=3000, and begin comments with #.",
    );
  }
  for (const [name, value] of Object.entries(util.parseEnv(text))) process.env[name] ??= value;
};

/** @param {string} path */
const readText = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EISDIR") {
      return stop(
        `${path} is a folder, but must be a file with a setting NAME=value per line. Move the folder away.`,
      );
    }
    const reason = error instanceof Error ? error.message : String(error);
    return stop(`${path} cannot be read: ${reason}. Make it readable for this user, or remove it.`);
  }
};

/** A setting. A value in quotes can have several lines. */
const SETTING =
  /^[ \t]*(?:export[ \t]+)?[A-Za-z_][\w.-]*[ \t]*=[ \t]*(?:(?:"[^"]*"|'[^']*'|`[^`]*`)[^\n]*|[^\n]*)/gm;

/**
 * The number of the first line that Node would silently ignore.
 * @param {string} text
 */
const firstUnreadableLine = (text) => {
  const rest = text.replaceAll(SETTING, (setting) => setting.replaceAll(/[^\n]/g, ""));
  const index = rest.split("\n").findIndex((line) => /^\s*[^\s#]/.test(line));
  return index === -1 ? undefined : index + 1;
};

/** Stops unless all development dependencies are installed. */
const checkDevelopmentPackages = () => {
  const missing = Object.keys(manifest.devDependencies ?? {}).find(
    (name) => !existsSync(join(root, "node_modules", name, "package.json")),
  );
  if (missing !== undefined) {
    stop(
      `This command needs the development dependencies, and ${missing} is not installed: run "npm ci --include=dev".`,
    );
  }
};

/** How often a program that npm started checks that its shell is still running. */
const PARENT_CHECK_MS = 500;

/**
 * Ends this process with SIGTERM when the shell that npm started it in has ended. npm forwards a
 * signal only to that shell, which dies, and the program would continue unnoticed.
 */
const endWithShell = () => {
  if (process.env["npm_lifecycle_event"] === undefined) return;
  const shell = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(timer);
    process.kill(process.pid, "SIGTERM");
  }, PARENT_CHECK_MS);
  timer.unref();
};

/**
 * The package that an import did not find; undefined for other errors.
 * @param {unknown} error
 */
const missingPackage = (error) => {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  if (error.code !== "ERR_MODULE_NOT_FOUND") return undefined;
  return /^Cannot find package '([^']+)'/.exec(error.message)?.[1];
};

const main = async () => {
  endWithShell();
  if (!existsSync(join(root, "node_modules"))) {
    stop('The dependencies are not installed: run "npm ci" first.');
  }
  const { node: running } = process.versions;
  if (isOlder(running, pinned ?? OLDEST)) {
    const node = findPinned();
    if (node !== undefined) return runOn(node);
  }
  if (!process.features.typescript) {
    const which =
      pinned === undefined ? "" : ", and npm did not install the Node that it comes with";
    return stop(`Tidemark cannot run on Node ${running}${which}. ${HOW_TO_INSTALL}`);
  }
  if (process.argv[2] === "--watch") return runAndWatch(process.argv.slice(3));
  const isDevelopment = process.argv[2] === "--dev";
  const [program = "", ...rest] = process.argv.slice(isDevelopment ? 3 : 2);
  const path = resolve(root, program);
  // The arguments that the program would have if Node had started it.
  process.argv = [process.argv[0] ?? "", path, ...rest];
  if (isDevelopment) checkDevelopmentPackages();
  else readDotEnv();
  try {
    await import(pathToFileURL(path).href);
  } catch (error) {
    const name = missingPackage(error);
    if (name === undefined) throw error;
    stop(`The package ${name} is not installed: run "npm ci".`);
  }
};

await main();
