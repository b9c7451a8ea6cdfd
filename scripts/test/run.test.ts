import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { suite } from "uvu";
import * as assert from "uvu/assert";

const RUNNER = fileURLToPath(new URL("./run.ts", import.meta.url));
const SKIP_URL = new URL("./skip.ts", import.meta.url).href;
const UVU = fileURLToPath(new URL("../../node_modules/uvu", import.meta.url));

const IMPORTS = `import { suite, test } from "uvu";\nimport * as assert from "uvu/assert";\n`;
const PASSING = `${IMPORTS}const s = suite("passing"); s("one", () => {}); s("two", () => {}); s.run();`;

interface Run {
  code: number | null;
  output: string;
  lastLine: string;
  root: string;
}

interface RunOptions {
  args?: string[];
  env?: Record<string, string>;
}

const roots: string[] = [];

/** Runs the runner in a new folder with these files: path → source. */
async function runOn(
  files: Record<string, string>,
  { args = [], env = {} }: RunOptions = {},
): Promise<Run> {
  const root = await mkdtemp(`${tmpdir()}/tidemark-runner-`);
  roots.push(root);
  await mkdir(`${root}/node_modules`);
  await symlink(UVU, `${root}/node_modules/uvu`);
  await writeFile(`${root}/package.json`, `{ "type": "module" }`);
  for (const [path, source] of Object.entries(files)) {
    await mkdir(dirname(`${root}/${path}`), { recursive: true });
    await writeFile(`${root}/${path}`, source);
  }
  const child = spawn(process.execPath, [RUNNER, ...args], {
    cwd: root,
    env: { ...process.env, CI: "", NO_COLOR: "1", TEST_LEAK_GRACE_MS: "300", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { code, output: out + err, lastLine: out.trimEnd().split("\n").at(-1) ?? "", root };
}

/** Asserts that the run failed with this last line, and for these reasons. */
function failsWith(run: Run, lastLine: string, ...reasons: RegExp[]): void {
  assert.is(run.code, 1);
  assert.is(run.lastLine, lastLine);
  for (const reason of reasons) assert.match(run.output, reason);
}

const runner = suite("test runner");
runner.after(async () => {
  for (const root of roots) await rm(root, { recursive: true });
});

runner("exits with 0 and ends with the count on the last line when everything passed", async () => {
  const run = await runOn({ "a/x.test.ts": PASSING, "b.test.ts": PASSING });
  assert.is(run.code, 0);
  assert.match(run.output, /ok +a\/x\.test\.ts +2 passed/);
  assert.ok(run.output.endsWith("\n4 passed, 0 failed\n"));
});

runner(
  "prints the assertion diff and the file of a failed test, and what the file printed",
  async () => {
    const run = await runOn({
      "x.test.ts": `${IMPORTS}test("adds", () => { console.log("a hint"); assert.equal({ n: 1 }, { n: 2 }); });
      test("holds", () => {}); test.run();`,
    });
    failsWith(
      run,
      "1 passed, 1 failed",
      /FAIL +x\.test\.ts/,
      /a hint/,
      /"adds"/,
      /--.*1/,
      /\+\+.*2/,
    );
  },
);

runner("hides the output of a passing file", async () => {
  const run = await runOn({ "x.test.ts": `console.log("chatter");\n${PASSING}` });
  assert.is(run.code, 0);
  assert.not.match(run.output, /chatter/);
});

runner("fails when a before hook throws, and prints the error", async () => {
  const run = await runOn({
    "x.test.ts": `${IMPORTS}test.before(() => { throw new Error("no database"); });
      test("one", () => {}); test("two", () => {}); test.run();`,
  });
  failsWith(run, "0 passed, 2 failed", /before threw/, /no database/);
});

runner("fails when an after hook throws, and prints the error", async () => {
  const run = await runOn({
    "x.test.ts": `${IMPORTS}test.after(() => { throw new Error("cannot close"); });
      test("one", () => {}); test.run();`,
  });
  failsWith(run, "0 passed, 1 failed", /an after hook threw/, /cannot close/);
});

runner("fails when a hook around each test throws, and prints the error", async () => {
  const run = await runOn({
    "a.test.ts": `${IMPORTS}test.before.each(() => { throw new Error("first"); });
      test("one", () => {}); test.run();`,
    "b.test.ts": `${IMPORTS}test.after.each(() => { throw new Error("second"); });
      test("one", () => {}); test.run();`,
  });
  failsWith(run, "0 passed, 2 failed", /first/, /after\.each threw/, /second/);
});

runner("prints the error of a test even if a hook after it throws", async () => {
  const run = await runOn({
    "x.test.ts": `${IMPORTS}test.after.each(() => { throw new Error("second"); });
      test("one", () => { throw new Error("first"); }); test.run();`,
  });
  failsWith(run, "0 passed, 1 failed", /one threw[^]*first/, /after\.each threw[^]*second/);
});

runner("fails on a file that has no suite and names it", async () => {
  const run = await runOn({ "hollow.test.ts": "export {};", "x.test.ts": PASSING });
  failsWith(run, "2 passed, 1 failed", /FAIL +hollow\.test\.ts/, /no suite was run/);
});

runner("fails on a suite without tests", async () => {
  const run = await runOn({ "hollow.test.ts": `${IMPORTS}suite("hollow").run();` });
  failsWith(run, "0 passed, 1 failed", /FAIL +hollow\.test\.ts/, /has no test/);
});

runner("fails on a suite whose run() was forgotten, beside one that ran", async () => {
  const run = await runOn({
    "x.test.ts": `${PASSING}\nconst f = suite("forgotten"); f("never", () => {});`,
    "y.test.ts": `${IMPORTS}test("never", () => {});`,
  });
  failsWith(run, "2 passed, 2 failed", /suite "forgotten": \.run\(\) is missing/, /y\.test\.ts/);
});

runner("runs the other files when one cannot be imported", async () => {
  const run = await runOn({
    "a.test.ts": `import "./missing.ts";`,
    "b.test.ts": "const = syntax;",
    "c.test.ts": `throw new Error("at import");`,
    "d.test.ts": PASSING,
  });
  failsWith(
    run,
    "2 passed, 3 failed",
    /missing\.ts/,
    /SyntaxError|ERR_INVALID_TYPESCRIPT/,
    /at import/,
  );
});

runner("fails on .only and .skip", async () => {
  const run = await runOn({
    "a.test.ts": `${IMPORTS}test.only("one", () => {}); test.run();`,
    "b.test.ts": `${IMPORTS}test("one", () => {}); test.skip("two", () => {}); test.run();`,
  });
  failsWith(
    run,
    "2 passed, 3 failed",
    /FAIL +a\.test\.ts/,
    /FAIL +b\.test\.ts/,
    /\.only or \.skip/,
  );
});

const SKIPPING = `import { skipSuite } from ${JSON.stringify(SKIP_URL)};
  skipSuite("redis cache", "no redis-server on this machine");`;

runner("announces a skipped suite, and counts it in the last line", async () => {
  const run = await runOn({ "a.test.ts": SKIPPING, "b.test.ts": PASSING });
  assert.is(run.code, 0);
  assert.match(run.output, /SKIP +a\.test\.ts +redis cache: no redis-server on this machine/);
  assert.is(run.lastLine, "2 passed, 0 failed, 1 skipped");
});

runner("counts a skipped suite as a failure in CI", async () => {
  const files = { "a.test.ts": SKIPPING, "b.test.ts": PASSING };
  const run = await runOn(files, { env: { CI: "true" } });
  failsWith(run, "2 passed, 1 failed, 1 skipped", /FAIL +a\.test\.ts/);
});

runner("kills a file that hangs, and names the file and the test", async () => {
  const files = {
    "a.test.ts": `${IMPORTS}const s = suite("slow"); s("awaits", () => new Promise(() => setInterval(() => {}, 50))); s.run();`,
    "b.test.ts": `${IMPORTS}const s = suite("busy"); s("loops", () => { for (;;); }); s.run();`,
  };
  const run = await runOn(files, { env: { TEST_FILE_TIMEOUT_MS: "3000" } });
  failsWith(run, "0 passed, 2 failed", /hung: .*slow › awaits/, /hung: .*busy › loops/);
});

runner("reports why a test failed although its file was killed later, and the limit", async () => {
  const files = {
    "x.test.ts": `${IMPORTS}const s = suite("file");
      s("fails", () => assert.is(1, 2, "the true reason"));
      s("compares", () => assert.equal({ n: 1 }, { n: 2 }));
      s("hangs", () => { for (;;); }); s.run();`,
    "y.test.ts": `${IMPORTS}const s = suite("file");
      s("throws", () => { throw new Error("the reason before"); });
      s("dies", () => process.kill(process.pid, "SIGKILL")); s.run();`,
  };
  const run = await runOn(files, { env: { TEST_FILE_TIMEOUT_MS: "3000" } });
  failsWith(
    run,
    "0 passed, 5 failed",
    /file › fails failed[^]*the true reason/,
    /file › compares failed[^]*\+\+.*2[^]*--.*1|file › compares failed[^]*--.*1[^]*\+\+.*2/,
    /hung: killed after 3 s, while: file › hangs[^]*TEST_FILE_TIMEOUT_MS/,
    /file › throws failed[^]*the reason before/,
  );
});

runner("fails when a test waits for a promise that never settles", async () => {
  const run = await runOn({
    "x.test.ts": `${IMPORTS}test("waits", () => new Promise(() => {})); test.run();`,
  });
  failsWith(run, "0 passed, 1 failed", /ended early .*waits/);
});

runner("fails when a test ends the process", async () => {
  const run = await runOn({
    "a.test.ts": `${IMPORTS}test("exits", () => process.exit(0)); test.run();`,
    "b.test.ts": `${IMPORTS}test("dies", () => process.kill(process.pid, "SIGKILL")); test.run();`,
  });
  failsWith(run, "0 passed, 2 failed", /ended early .*exits/, /died of SIGKILL, while: dies/);
});

runner("prints the cause of an error without a message", async () => {
  const run = await runOn({
    "x.test.ts": `${IMPORTS}test("one", () => { throw new Error("", { cause: new Error("deadlock") }); }); test.run();`,
  });
  failsWith(run, "0 passed, 1 failed", /one threw[^]*caused by Error: deadlock/);
});

runner("fails on an unhandled rejection and on an uncaught exception", async () => {
  const run = await runOn({
    "a.test.ts": `${IMPORTS}test("drops", () => { void Promise.reject(new Error("dropped")); }); test.run();`,
    "b.test.ts": `${IMPORTS}test("throws", () => { setTimeout(() => { throw new Error("late"); }); }); test.run();`,
  });
  failsWith(
    run,
    "2 passed, 2 failed",
    /unhandled rejection[^]*dropped/,
    /uncaught exception[^]*late/,
  );
});

runner("ends and fails when a test leaves a handle open", async () => {
  const run = await runOn({
    "x.test.ts": `import { createServer } from "node:net";\n${IMPORTS}
      test("listens", () => { createServer().listen(0); }); test.run();`,
  });
  failsWith(run, "1 passed, 1 failed", /something was not closed: TCPServerWrap/);
});

runner("fails when a test sets process.exitCode", async () => {
  const run = await runOn({
    "x.test.ts": `${IMPORTS}test("sets", () => { process.exitCode = 3; }); test.run();`,
  });
  failsWith(run, "1 passed, 1 failed", /exitCode was left at 3/);
});

runner("runs only the files and folders that the arguments name", async () => {
  const files = { "core/a.test.ts": PASSING, "core2/b.test.ts": PASSING, "c.test.ts": PASSING };
  const run = await runOn(files, { args: ["./core/", "c.test.ts"] });
  assert.is(run.lastLine, "4 passed, 0 failed");
  assert.not.match(run.output, /core2/);
});

runner("fails when an argument names no test file", async () => {
  const run = await runOn({ "a.test.ts": PASSING }, { args: ["a.test.ts", "cor"] });
  failsWith(run, "2 passed, 1 failed", /FAIL +cor\b/);
});

runner("fails when there is nothing to run", async () => {
  failsWith(await runOn({}), "0 passed, 1 failed", /nothing ran/);
});

runner("prints the help with --help, and runs nothing", async () => {
  const run = await runOn({ "a.test.ts": "throw 1;" }, { args: ["--help"] });
  assert.is(run.code, 0);
  assert.match(run.output, /npm test -- core/);
});

runner("refuses invalid arguments in a sentence, and runs nothing", async () => {
  for (const [args, env, sentence] of [
    [["--nope"], {}, "Unknown option --nope"],
    [[], { TEST_WORKERS: "many" }, "TEST_WORKERS must be a whole number from 1 to 1000, not many"],
  ] as const) {
    const run = await runOn({ "a.test.ts": "throw 1;" }, { args: [...args], env });
    assert.is(run.code, 2);
    assert.is(
      run.output,
      `${sentence}.\n\nUsage: npm test -- [PATH...]\nAdd --help for details.\n`,
    );
  }
});

const SETUP = `import { writeFileSync } from "node:fs";
  export async function setup() {
    writeFileSync("started", "");
    return { env: { SHARED_URL: "somewhere" }, async teardown() { writeFileSync("torn-down", ""); } };
  }`;
const READS_ENV = (expected: string): string =>
  `${IMPORTS}test("reads", () => assert.is(process.env.SHARED_URL, ${expected})); test.run();`;

runner("starts shared servers once for all files except core, and stops them", async () => {
  const run = await runOn({
    "scripts/test/setup.ts": SETUP,
    "core/a.test.ts": READS_ENV("undefined"),
    "adapters/b.test.ts": READS_ENV(`"somewhere"`),
    "db/c.test.ts": READS_ENV(`"somewhere"`),
  });
  assert.is(run.lastLine, "3 passed, 0 failed", run.output);
  assert.ok(existsSync(`${run.root}/torn-down`));
});

runner("starts no server for core alone", async () => {
  const files = {
    "scripts/test/setup.ts": SETUP,
    "core/a.test.ts": PASSING,
    "db/b.test.ts": PASSING,
  };
  const run = await runOn(files, { args: ["core"] });
  assert.is(run.code, 0);
  assert.not.ok(existsSync(`${run.root}/started`));
});

runner("fails each file that needs the servers when they cannot start", async () => {
  const run = await runOn({
    "scripts/test/setup.ts": `export async function setup() { throw new Error("no postgres"); }`,
    "core/a.test.ts": PASSING,
    "db/b.test.ts": PASSING,
  });
  failsWith(run, "2 passed, 2 failed", /no postgres/, /FAIL +db\/b\.test\.ts/);
});

runner("fails when starting the servers hangs", async () => {
  const files = {
    "scripts/test/setup.ts": `export function setup() { return new Promise(() => {}); }`,
    "db/b.test.ts": PASSING,
  };
  const run = await runOn(files, { env: { TEST_FILE_TIMEOUT_MS: "300" } });
  failsWith(run, "0 passed, 2 failed", /setup\.ts[^]*hung/, /FAIL +db\/b\.test\.ts/);
});

runner("stops the servers and exits with 130 when it is interrupted", async () => {
  const run = await runOn({
    "scripts/test/setup.ts": SETUP,
    "db/a.test.ts": `${IMPORTS}test("interrupts", () => {
      process.kill(process.ppid, "SIGINT");
      return new Promise(() => setInterval(() => {}, 1_000));
    }); test.run();`,
  });
  assert.equal([run.code, run.lastLine], [130, "0 passed, 1 failed"]);
  assert.match(run.output, /interrupted/);
  assert.ok(existsSync(`${run.root}/torn-down`));
});

runner.run();
