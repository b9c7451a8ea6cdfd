import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite<{ folder: string; k6: string }>("npm run load");

// Stands in for k6: says what it was asked, and ends as a run does that did not keep a promise.
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

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

const run = (env: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) =>
  new Promise<{ readonly code: number; readonly out: string; readonly err: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      [MAIN, ...args],
      { env: { ...process.env, ...env } },
      (_, out, err) => {
        resolve({ code: child.exitCode ?? -1, out, err });
      },
    );
  });

test("a scenario is run by k6 with all further arguments, and k6's exit code is passed on", async ({
  k6,
}) => {
  const { code, out } = await run({ K6: k6, BASE_URL: "http://a" }, "baseline", "--out", "json=x");
  assert.is(code, 99);
  assert.match(out, /^run --out json=x \/.*\/scripts\/load\/baseline\.js\nhttp:\/\/a\n$/);
});

test("without BASE_URL the load goes to the service of the same settings", async ({ k6 }) => {
  const { out } = await run({ K6: k6, BASE_URL: "", HOST: "::", PORT: "3555" }, "baseline");
  assert.is(out.trimEnd().split("\n").at(-1), "http://[::1]:3555");
});

test("help lists every scenario with what it is about", async () => {
  const { code, out } = await run({}, "--help");
  assert.is(code, 0);
  assert.match(
    out,
    /^ {2}baseline +The usual load: 35 posts of 10 events and 15 summaries a second\.$/m,
  );
  for (const name of ["peak", "spike", "soak", "whale"]) {
    assert.match(out, new RegExp(`^ {2}${name} +[A-Z0-9]`, "m"));
  }
  assert.not.match(out, "tidemark ");
});

test("without k6 it says how to get it", async ({ folder }) => {
  const { code, err } = await run({ PATH: folder, XDG_CACHE_HOME: folder, K6: "" }, "baseline");
  assert.is(code, 1);
  assert.match(err, "There is no k6");
  assert.match(err, "npm run load -- install");
});

test("without Go it does not claim to have installed k6", async ({ folder }) => {
  const { code, err } = await run({ PATH: folder, XDG_CACHE_HOME: folder }, "install");
  assert.is(code, 1);
  assert.match(err, "There is no Go");
});

test("a scenario that does not exist is refused in a sentence that says which do", async () => {
  const names = "baseline, peak, soak, spike, whale, smoke or install";
  for (const [args, sentence] of [
    [[], `There is no scenario given: ${names}`],
    [["nonsense"], `There is no scenario nonsense: it must be ${names}`],
    [["tidemark"], `There is no scenario tidemark: it must be ${names}`],
    [["--nope"], "There is no option --nope"],
    [["smoke", "x"], "There is one argument too many: x"],
    [["install", "x"], "There is one argument too many: x"],
  ] as const) {
    assert.equal(await run({}, ...args), {
      code: 2,
      out: "",
      err: `${sentence}.\n\nUsage: npm run load -- SCENARIO [arguments of k6 run]\n--help says more.\n`,
    });
  }
});

test.run();
