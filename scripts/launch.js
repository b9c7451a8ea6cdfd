// Starts a program of this repository: `node scripts/launch.js [--dev | --watch] app/main.ts [arguments]`.
//
// Every npm script goes through it. It is JavaScript that Node 18 can read, because the Node that npm found may be any:
// without the one that package.json pins (npm was told to leave it out, or was never run) the machine's own would
// stop at the first type annotation with a stack trace. It then uses the pinned one where it is installed but not on the
// PATH, or says in one sentence what to do.
//
// It also reads .env, so that every command knows the same settings; with --dev, for commands that bring a service and a
// database of their own, it does not, and checks that the development dependencies are installed. With --watch it starts
// the program again whenever the code changes.
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

/** The npm package of this platform that holds nothing but Node. */
const platform = process.platform === "win32" ? "win" : process.platform;
const prefix = platform === "darwin" && process.arch === "arm64" ? "node-bin" : "node";
const nodePackage = `${prefix}-${platform}-${process.arch}`;

/** The version of Node that the code is tested with; undefined on a platform that has no package. */
const pinned = manifest.optionalDependencies?.[nodePackage];

/** The oldest Node that is known to read TypeScript by itself. */
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

/** The pinned Node; undefined where npm has not installed it, or it is the one that runs this. */
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
 * Passes signals on to a child, for as long as there is one; without one they end this process.
 * @param {() => import("node:child_process").ChildProcess | undefined} child
 */
const passSignalsTo = (child) => {
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => {
      const running = child();
      if (running === undefined) process.exit(exitCodeOf(null, signal));
      // Ctrl-C in a terminal reaches the child by itself, and a second signal would not let it end cleanly.
      if (signal !== "SIGINT" || !process.stdin.isTTY) running.kill(signal);
    });
  }
};

/**
 * How a shell says that a process has ended.
 * @param {number | null} code
 * @param {NodeJS.Signals | null} signal
 */
const exitCodeOf = (code, signal) =>
  code ?? 128 + (signal === null ? 0 : constants.signals[signal]);

/**
 * Runs the same command on another Node, passes signals on and ends as it does.
 * @param {string} node
 */
const runOn = (node) => {
  // Ahead of the child, which may be up before the next line here: a signal before then would end this process alone.
  passSignalsTo(() => child);
  const child = spawn(node, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: "inherit",
    // So that what the program starts by name runs on the same Node.
    env: { ...process.env, PATH: dirname(node) + delimiter + (process.env["PATH"] ?? "") },
  });
  child.on("error", (error) => {
    stop(`The Node in ${node} cannot be run (${error.message}). ${HOW_TO_INSTALL}`);
  });
  child.on("exit", (code, signal) => {
    process.exit(exitCodeOf(code, signal));
  });
};

/** Where the code of the service is. */
const CODE = ["core", "adapters", "app", "db"];

/** An editor or git may write many files; the program is started once they have settled. */
const SETTLE_MS = 100;

/**
 * Runs a program, and runs it anew whenever the code changes. Ends with the program, unless the program failed by
 * itself: then the next change may mend it.
 *
 * Node's own --watch would wait for a change once the program was told to end, and go on when npm is gone.
 * @param {ReadonlyArray<string>} args
 */
const runAndWatch = (args) => {
  /** @type {import("node:child_process").ChildProcess | undefined} */
  let child;
  let changed = false;
  let told = false;
  /** @type {NodeJS.Timeout | undefined} */
  let settling;
  const start = () => {
    changed = false;
    const command = [...process.execArgv, fileURLToPath(import.meta.url), ...args];
    child = spawn(process.execPath, command, { stdio: "inherit" });
    child.on("exit", (code, signal) => {
      child = undefined;
      if (changed && !told) return start();
      if (told || code === 0 || code === null) process.exit(exitCodeOf(code, signal));
      process.stderr.write("The next change of the code starts it again.\n");
    });
  };
  const restart = () => {
    changed = true;
    if (child === undefined) start();
    else child.kill("SIGTERM");
  };
  passSignalsTo(() => {
    told = true;
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

/** The settings in .env; variables that are set already stay as they are. */
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
        `${path} is a folder and must be a file with the settings, one NAME=value a line. Move the folder away.`,
      );
    }
    const reason = error instanceof Error ? error.message : String(error);
    return stop(`${path} cannot be read: ${reason}. Make it readable for this user, or remove it.`);
  }
};

/** A setting with all of its lines: a value in quotes may have several. */
const SETTING =
  /^[ \t]*(?:export[ \t]+)?[A-Za-z_][\w.-]*[ \t]*=[ \t]*(?:(?:"[^"]*"|'[^']*'|`[^`]*`)[^\n]*|[^\n]*)/gm;

/**
 * The number of the first line that Node would pass over in silence.
 * @param {string} text
 */
const firstUnreadableLine = (text) => {
  const rest = text.replaceAll(SETTING, (setting) => setting.replaceAll(/[^\n]/g, ""));
  const index = rest.split("\n").findIndex((line) => /^\s*[^\s#]/.test(line));
  return index === -1 ? undefined : index + 1;
};

/** Stops unless every package that developers need is there. */
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

/** How often a program that npm has started looks whether its shell is still there. */
const PARENT_CHECK_MS = 500;

/**
 * Ends as SIGTERM ends it once the shell is gone that npm has started it in. npm passes a signal on to that shell alone,
 * which dies of it, and the program would go on without anybody who knows of it.
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
 * Which package an import did not find; undefined if that is not why it failed.
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
  // The program sees itself and its arguments, as if Node had been started with it.
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
