import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("launch");

const roots: string[] = [];
test.after(async () => {
  for (const root of roots) await rm(root, { recursive: true });
});

const platform = process.platform === "win32" ? "win" : process.platform;
const prefix = platform === "darwin" && process.arch === "arm64" ? "node-bin" : "node";
const NODE_PACKAGE = `${prefix}-${platform}-${process.arch}`;

/** Newer than any that may run this. */
const PINNED = "999.0.0";

/** Prints how it was started, as what the launcher starts. */
const PROGRAM = `console.log(JSON.stringify({ argv: process.argv.slice(1), port: process.env.PORT }));`;

interface Checkout {
  readonly root: string;
  /** Runs the launcher there; answers with its exit code and what it printed. */
  readonly launch: (
    args: ReadonlyArray<string>,
    options?: { readonly node?: string; readonly env?: Readonly<Record<string, string>> },
  ) => Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
  readonly start: (args: ReadonlyArray<string>) => ChildProcess;
}

/** A checkout that holds the launcher, a program, and these files. */
const makeCheckout = async (
  files: Readonly<Record<string, string>> = {},
  manifest: object = {},
): Promise<Checkout> => {
  const root = await mkdtemp(join(tmpdir(), "tidemark-launch-"));
  roots.push(root);
  await mkdir(join(root, "scripts"));
  await mkdir(join(root, "node_modules"));
  await copyFile(new URL("launch.js", import.meta.url), join(root, "scripts/launch.js"));
  const all = {
    "package.json": JSON.stringify({ type: "module", ...manifest }),
    "main.ts": PROGRAM,
    ...files,
  };
  for (const [path, content] of Object.entries(all)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  const start = (args: ReadonlyArray<string>, node = process.execPath, env = {}) =>
    spawn(node, ["scripts/launch.js", ...args], {
      cwd: root,
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
  return {
    root,
    start,
    launch: async (args, { node, env } = {}) => {
      const child = start(args, node, env);
      const exited = once(child, "exit") as Promise<[number | null]>;
      const [out, err, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        exited,
      ]);
      return { code, out, err };
    },
  };
};

/** Puts a program in the place of the pinned Node. */
const installPinned = async ({ root }: Checkout, script: string): Promise<string> => {
  const path = join(root, "node_modules", NODE_PACKAGE, "bin/node");
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
};

/** A Node that npm may find on this machine: one that is not the project's, if there is one. */
const nodeOfTheMachine = async (): Promise<string> => {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, "node");
    const exists = await access(path).then(
      () => true,
      () => false,
    );
    if (exists && !folder.includes("node_modules")) return path;
  }
  return process.execPath;
};

test("a program has the same arguments as if Node had started it", async () => {
  const { root, launch } = await makeCheckout();
  const { code, out } = await launch(["main.ts", "status", "--json"]);
  assert.is(code, 0);
  assert.equal(JSON.parse(out), { argv: [join(root, "main.ts"), "status", "--json"] });
});

test(".env sets variables, but does not override them", async () => {
  const { launch } = await makeCheckout({ ".env": "# a comment\nPORT=3001\n" });
  assert.is(JSON.parse((await launch(["main.ts"])).out).port, "3001");
  const own = await launch(["main.ts"], { env: { PORT: "3002" } });
  assert.is(JSON.parse(own.out).port, "3002");
});

test("a command for developers, with a service of its own, does not read .env", async () => {
  const { launch } = await makeCheckout({ ".env": "PORT=3001\n" });
  const { out } = await launch(["--dev", "main.ts", "core"]);
  const { argv, port } = JSON.parse(out) as { argv: string[]; port?: string };
  assert.is(port, undefined);
  assert.equal(argv.slice(1), ["core"]);
});

test("a .env that is a folder is reported in a sentence", async () => {
  const { root, launch } = await makeCheckout({ ".env/oops": "" });
  assert.equal(await launch(["main.ts"]), {
    code: 1,
    out: "",
    err: `${root}/.env is a folder, but must be a file with a setting NAME=value per line. Move the folder away.\n`,
  });
});

test("an invalid line of .env is reported without its text, which may be a secret", async () => {
  for (const line of ["PORT: 3555", "PORT 3555", "PORT", "=3555", "my port=3555", "- PORT=3555"]) {
    const { root, launch } = await makeCheckout({ ".env": `# comment\n\nHOST=::1\n${line}\n` });
    const { code, out, err } = await launch(["main.ts"]);
    assert.equal([code, out], [1, ""], line);
    assert.match(err, `Line 4 of ${root}/.env is not a setting. Write each setting`);
    assert.not.match(err, "3555");
  }
});

test("every form of a setting in .env is accepted", async () => {
  for (const content of [
    "PORT=3555",
    "\uFEFFPORT=3555\r\n# the end\r\n",
    "  export PORT = 3555 # a comment",
    "PORT='3555'  # a comment",
    `KEY="-----BEGIN\nno setting: here\n-----END"\nPORT="3555"`,
    "EMPTY=\nPORT=`3555`\nUNCLOSED='x\n\t# a comment",
  ]) {
    const { launch } = await makeCheckout({ ".env": content });
    const { out, err } = await launch(["main.ts"]);
    assert.is(err, "");
    assert.is((JSON.parse(out) as { port: string }).port, "3555", content);
  }
});

test("an older Node starts the pinned one with the same options, and has its exit code", async () => {
  const checkout = await makeCheckout({}, { optionalDependencies: { [NODE_PACKAGE]: PINNED } });
  const pinned = await installPinned(checkout, 'echo "$(command -v node) $@"; exit 7');
  const { code, out, err } = await checkout.launch(["main.ts", "status"], {
    env: { NODE_OPTIONS: "--no-warnings" },
  });
  assert.is(err, "");
  assert.is(code, 7);
  assert.is(out, `${pinned} ${join(checkout.root, "scripts/launch.js")} main.ts status\n`);
});

test("signals reach the pinned Node", async () => {
  const checkout = await makeCheckout({}, { optionalDependencies: { [NODE_PACKAGE]: PINNED } });
  await installPinned(
    checkout,
    "trap 'echo got it; exit 3' TERM; echo up; while :; do sleep 0.1; done",
  );
  const child = checkout.start(["main.ts"]);
  let printed = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    printed += chunk;
    if (chunk.includes("up")) child.kill("SIGTERM");
  });
  const [code] = (await once(child, "close")) as [number | null];
  assert.is(code, 3);
  assert.is(printed, "up\ngot it\n");
});

test("a program ends when the shell of npm ends", async () => {
  const { root } = await makeCheckout({
    "waits.ts": `process.on("SIGTERM", () => { console.log("bye"); process.exit(0); });
      setInterval(() => {}, 1_000); console.log("up");`,
  });
  // Like npm. The second command prevents the shell from replacing itself with the program.
  const shell = spawn("sh", ["-c", `"${process.execPath}" scripts/launch.js waits.ts; true`], {
    cwd: root,
    env: { PATH: process.env["PATH"], npm_lifecycle_event: "start" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  shell.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    printed += chunk;
    if (chunk.includes("up")) shell.kill("SIGTERM");
  });
  // The output closes when the program has ended, too.
  await once(shell, "close");
  assert.is(printed, "up\nbye\n");
});

/** Says when it is up, as what and below which process, and goodbye once it was asked to end. */
const SERVICE = `import { readFileSync } from "node:fs";
  const version = readFileSync("core/version", "utf8");
  process.on("SIGTERM", () => { console.log("bye"); process.exit(version === "hard" ? 1 : 0); });
  if (version === "broken") throw new Error("broken");
  setInterval(() => {}, 1_000);
  console.log("up", version, process.pid, process.ppid);`;

interface Developing {
  /** The shell that npm has started the command in. */
  readonly shell: ChildProcess;
  /** Changes the code. */
  readonly write: (version: string) => Promise<void>;
}

/**
 * Runs `npm run start:dev` as npm does, lets `act` answer to each line that it prints, and returns
 * them once all that it has started is gone: only then is its output closed.
 */
const startDev = async (
  act: (line: string, developing: Developing) => unknown,
): Promise<ReadonlyArray<string>> => {
  const { root } = await makeCheckout({
    "app/main.ts": SERVICE,
    "core/version": "1",
    "adapters/a": "",
    "db/a": "",
  });
  const manifest = await readFile(new URL("../package.json", import.meta.url), "utf8");
  const { scripts } = JSON.parse(manifest) as { scripts: Readonly<Record<string, string>> };
  // The second command prevents the shell from replacing itself with the program.
  const shell = spawn("sh", ["-c", `${scripts["start:dev"]} 2>&1; true`], {
    cwd: root,
    env: {
      PATH: dirname(process.execPath) + delimiter + (process.env["PATH"] ?? ""),
      npm_lifecycle_event: "start:dev",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const write = (version: string) => writeFile(join(root, "core/version"), version);
  const lines: string[] = [];
  for await (const line of createInterface({ input: shell.stdout })) {
    lines.push(line);
    await act(line, { shell, write });
  }
  return lines.filter((line) => /^(?:up|bye)/.test(line)).map((line) => line.slice(0, 4));
};

/** Sends SIGTERM to the program that said it is up, or to what watches the code for it. */
const terminate = (line: string, which: "program" | "watcher"): void => {
  const [, , pid, parent] = line.split(" ");
  process.kill(Number(which === "program" ? pid : parent), "SIGTERM");
};

test("npm run start:dev ends cleanly when the shell of npm ends", async () => {
  const lines = await startDev((line, { shell }) => line.startsWith("up") && shell.kill("SIGTERM"));
  assert.equal(lines, ["up 1", "bye"]);
});

test("npm run start:dev ends after a signal, even if the program does not end cleanly", async () => {
  const lines = await startDev(async (line, { write }) => {
    if (line.startsWith("up 1")) await write("hard");
    else if (line.startsWith("up h")) terminate(line, "watcher");
  });
  assert.equal(lines, ["up 1", "bye", "up h", "bye"]);
});

for (const which of ["watcher", "program"] as const) {
  test(`npm run start:dev ends cleanly when its ${which} is told to`, async () => {
    const lines = await startDev((line) => {
      if (line.startsWith("up")) terminate(line, which);
    });
    assert.equal(lines, ["up 1", "bye"]);
  });
}

test("npm run start:dev restarts the program when the code changes, even after it has failed", async () => {
  const lines = await startDev(async (line, { write }) => {
    if (line.startsWith("up 1")) await write("broken");
    else if (line.includes("when the code changes")) await write("2");
    else if (line.startsWith("up 2")) terminate(line, "program");
  });
  assert.equal(lines, ["up 1", "bye", "up 2", "bye"]);
});

test("a pinned Node that does not run on this machine is reported in a sentence", async () => {
  const checkout = await makeCheckout({}, { optionalDependencies: { [NODE_PACKAGE]: PINNED } });
  const path = await installPinned(checkout, "");
  // As on a machine with another C library: the program exists, but its loader does not.
  await writeFile(path, "#!/lib/ld-of-another-libc.so.2\n");
  const { code, err } = await checkout.launch(["main.ts"]);
  assert.is(code, 1);
  assert.match(
    err,
    /^The Node in \S+ cannot be run \(.*\)\. Run "npm ci" .* or install Node .*\.\n$/,
  );
});

test("a Node that is too old is reported in a sentence if the pinned one is not installed", async () => {
  const { launch } = await makeCheckout({}, { optionalDependencies: { [NODE_PACKAGE]: PINNED } });
  // The Node of the machine if it is old; otherwise one that pretends to be.
  const node = await nodeOfTheMachine();
  const { code, out, err } = await launch(["main.ts"], {
    node,
    env: { NODE_OPTIONS: "--no-experimental-strip-types" },
  }).then((first) =>
    /not allowed in NODE_OPTIONS|bad option/.test(first.err)
      ? launch(["main.ts"], { node })
      : first,
  );
  assert.is(code, 1);
  assert.is(out, "");
  assert.match(
    err,
    /^Tidemark cannot run on Node \S+, and npm did not install the Node that it comes with\. Run "npm ci" .*\.\n$/,
  );
});

test("without npm ci, or after an incomplete one, it names the command to run", async () => {
  const { root, launch } = await makeCheckout(
    { "needs.ts": `import "uninstalled/deep";` },
    { devDependencies: { uninstalled: "1.0.0" } },
  );
  const failure = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await launch(args);
    assert.is(code, 1);
    assert.is(out, "");
    return err;
  };
  assert.is(await failure("needs.ts"), 'The package uninstalled is not installed: run "npm ci".\n');
  assert.is(
    await failure("--dev", "main.ts"),
    'This command needs the development dependencies, and uninstalled is not installed: run "npm ci --include=dev".\n',
  );
  await rm(join(root, "node_modules"), { recursive: true });
  assert.is(await failure("main.ts"), 'The dependencies are not installed: run "npm ci" first.\n');
});

test("a program that fails shows its own error", async () => {
  const { launch } = await makeCheckout({
    "throws.ts": `throw new Error("boom");`,
    "own.ts": `import "./gone.ts";`,
  });
  assert.match((await launch(["throws.ts"])).err, /Error: boom/);
  assert.match((await launch(["own.ts"])).err, /ERR_MODULE_NOT_FOUND/);
});

test("every npm script that runs Node uses it", async () => {
  const manifest = await readFile(new URL("../package.json", import.meta.url), "utf8");
  const { scripts } = JSON.parse(manifest) as { scripts: Readonly<Record<string, string>> };
  for (const [name, script] of Object.entries(scripts)) {
    if (script.startsWith("node ")) assert.match(script, / scripts\/launch\.js /, name);
  }
});

test.run();
