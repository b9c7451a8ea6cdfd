import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { runModule } from "../test/run_program.ts";

const test = suite<{ folder: string; k6: string }>("npm run load");

// A fake k6 that prints its arguments, and ends like a run that missed a threshold.
const FAKE_K6 = `#!/bin/sh
if [ "$1" = version ]; then exit 0; fi
echo "$@"
echo "$BASE_URL"
exit 99
`;

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), "tidemark-k6-"));
  context.k6 = join(context.folder, "fake");
  await writeFile(context.k6, FAKE_K6);
  await chmod(context.k6, 0o755);
});
test.after(({ folder }) => rm(folder, { recursive: true }));

const run = (env: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) =>
  runModule(new URL("main.ts", import.meta.url), args, env);

test("k6 runs a scenario with all further arguments, and its exit code is passed on", async ({
  k6,
}) => {
  const { code, out } = await run({ K6: k6, BASE_URL: "http://a" }, "baseline", "--out", "json=x");
  assert.is(code, 99);
  assert.match(out, /^run --out json=x \/.*\/scripts\/load\/baseline\.js\nhttp:\/\/a\n$/);
});

test("without BASE_URL the load goes to the address in HOST and PORT", async ({ k6 }) => {
  const { out } = await run({ K6: k6, BASE_URL: "", HOST: "::", PORT: "3555" }, "baseline");
  assert.is(out.trimEnd().split("\n").at(-1), "http://[::1]:3555");
});

test("help describes every scenario", async () => {
  const { code, out } = await run({}, "--help");
  assert.is(code, 0);
  assert.match(
    out,
    /^ {2}baseline \[ARG\.\.\.\] +The usual load: 35 posts of 10 events and 15 summaries per second\.$/m,
  );
  for (const name of ["peak", "spike", "soak", "whale"]) {
    assert.match(out, new RegExp(`^ {2}${name} \\[ARG\\.\\.\\.\\] +[A-Z0-9]`, "m"));
  }
  assert.not.match(out, "tidemark ");
});

test("without k6 it explains how to install it", async ({ folder }) => {
  const { code, err } = await run({ PATH: folder, XDG_CACHE_HOME: folder, K6: "" }, "baseline");
  assert.is(code, 1);
  assert.match(err, "k6 was not found");
  assert.match(err, "npm run load -- install");
});

test("without Go it does not claim to have installed k6", async ({ folder }) => {
  const { code, err } = await run({ PATH: folder, XDG_CACHE_HOME: folder }, "install");
  assert.is(code, 1);
  assert.match(err, "Go is not on the PATH");
});

test("an unknown scenario is refused in a sentence that lists all", async () => {
  const names = "baseline, peak, soak, spike, whale, smoke or install";
  for (const [args, sentence] of [
    [[], `Missing command; use ${names}`],
    [["nonsense"], `Unknown command nonsense; use ${names}`],
    [["tidemark"], `Unknown command tidemark; use ${names}`],
    [["--nope"], "Unknown option --nope"],
    [["smoke", "x"], "Unexpected argument x"],
    [["install", "x"], "Unexpected argument x"],
  ] as const) {
    const { code, out, err } = await run({}, ...args);
    assert.equal([code, out], [2, ""]);
    assert.match(err, `${sentence}.\n\nUsage: npm run load -- `);
  }
});

test.run();
