import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
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

test("a program sees itself and its arguments, as if Node had been started with it", async () => {
  const { root, launch } = await makeCheckout();
  const { code, out } = await launch(["main.ts", "status", "--json"]);
  assert.is(code, 0);
  assert.equal(JSON.parse(out), { argv: [join(root, "main.ts"), "status", "--json"] });
});

test(".env gives settings, and what is set already stays", async () => {
  const { launch } = await makeCheckout({ ".env": "# a comment\nPORT=3001\n" });
  assert.is(JSON.parse((await launch(["main.ts"])).out).port, "3001");
  const own = await launch(["main.ts"], { env: { PORT: "3002" } });
  assert.is(JSON.parse(own.out).port, "3002");
});

test("a developer's command, which makes a service of its own, does not read .env", async () => {
  const { launch } = await makeCheckout({ ".env": "PORT=3001\n" });
  const { out } = await launch(["--dev", "main.ts", "core"]);
  const { argv, port } = JSON.parse(out) as { argv: string[]; port?: string };
  assert.is(port, undefined);
  assert.equal(argv.slice(1), ["core"]);
});

test("a .env that cannot be read is told in a sentence", async () => {
  const { launch } = await makeCheckout({ ".env/oops": "" });
  const { code, out, err } = await launch(["main.ts"]);
  assert.is(code, 1);
  assert.is(out, "");
  assert.match(err, /^\S+\.env cannot be read: .*\. Make it readable .*\.\n$/);
});

test("an older Node hands over to the pinned one, with its options, and ends as it does", async () => {
  const checkout = await makeCheckout({}, { optionalDependencies: { [NODE_PACKAGE]: PINNED } });
  const pinned = await installPinned(checkout, 'echo "$(command -v node) $@"; exit 7');
  const { code, out, err } = await checkout.launch(["main.ts", "status"], {
    env: { NODE_OPTIONS: "--no-warnings" },
  });
  assert.is(err, "");
  assert.is(code, 7);
  assert.is(out, `${pinned} ${join(checkout.root, "scripts/launch.js")} main.ts status\n`);
});

test("signals reach the Node that it handed over to", async () => {
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

test("a program ends when the shell does that npm has started it in", async () => {
  const { root } = await makeCheckout({
    "waits.ts": `process.on("SIGTERM", () => { console.log("bye"); process.exit(0); });
      setInterval(() => {}, 1_000); console.log("up");`,
  });
  // As npm does it; what follows keeps the shell from becoming the program.
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
  // Its output is closed once the program has ended, too.
  await once(shell, "close");
  assert.is(printed, "up\nbye\n");
});

test("a pinned Node that cannot be run on this machine is told in a sentence", async () => {
  const checkout = await makeCheckout({}, { optionalDependencies: { [NODE_PACKAGE]: PINNED } });
  const path = await installPinned(checkout, "");
  // As on a machine with another C library: the program is there, and what should load it is not.
  await writeFile(path, "#!/lib/ld-of-another-libc.so.2\n");
  const { code, err } = await checkout.launch(["main.ts"]);
  assert.is(code, 1);
  assert.match(
    err,
    /^The Node in \S+ cannot be run \(.*\)\. Run "npm ci" .* or install Node .*\.\n$/,
  );
});

test("a Node that cannot read the code says so in a sentence, where npm left the pinned one out", async () => {
  const { launch } = await makeCheckout({}, { optionalDependencies: { [NODE_PACKAGE]: PINNED } });
  // The machine's own, if it is old; a new one is told to be like it.
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

test("before npm ci, and after one that left something out, it says which command to run", async () => {
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

test("a program that fails by itself fails with its own error", async () => {
  const { launch } = await makeCheckout({
    "throws.ts": `throw new Error("boom");`,
    "own.ts": `import "./gone.ts";`,
  });
  assert.match((await launch(["throws.ts"])).err, /Error: boom/);
  assert.match((await launch(["own.ts"])).err, /ERR_MODULE_NOT_FOUND/);
});

test("every npm script that starts Node goes through it", async () => {
  const manifest = await readFile(new URL("../package.json", import.meta.url), "utf8");
  const { scripts } = JSON.parse(manifest) as { scripts: Readonly<Record<string, string>> };
  for (const [name, script] of Object.entries(scripts)) {
    if (script.startsWith("node ")) assert.match(script, / scripts\/launch\.js /, name);
  }
});

test.run();
