import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  makeScratch,
  removeScratch,
} from "../adapters/embedded_postgres/embedded_postgres.fixture.ts";

// Such as a mistyped DATA_DIR.
const test = suite<{ scratch: string }>("a folder without a database");

test.before.each(async (context) => {
  context.scratch = await makeScratch();
});
test.after.each(({ scratch }) => removeScratch(scratch, join(scratch, "data")));

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command on the embedded database of a folder. */
const run = (dataDir: string, main: string, ...args: ReadonlyArray<string>): Promise<Outcome> =>
  new Promise((resolve) => {
    const path = join(import.meta.dirname, "..", main);
    const own = { DATA_DIR: dataDir, DATABASE_URL: "", MIGRATION_DATABASE_URL: "" };
    const options = { env: { ...process.env, ...own } };
    const child = execFile(process.execPath, [path, ...args], options, (_, out, err) => {
      resolve({ code: child.exitCode ?? -1, out, err });
    });
  });

for (const [main, ...args] of [
  ["scripts/keys/main.ts", "list"],
  ["scripts/keys/main.ts", "create", "--scope", "read"],
  ["scripts/deadletters/main.ts"],
  ["scripts/projector/main.ts", "status"],
  ["scripts/projector/main.ts"],
  ["db/main.ts", "status"],
] as const) {
  test(`${main} ${args.join(" ")} creates none, and says where it looked and what to do`, async ({
    scratch,
  }) => {
    const dataDir = join(scratch, "data");
    const expected = {
      code: 1,
      out: "",
      err:
        `There is no database in ${dataDir}. To create one there, run npm start or npm run migrate. ` +
        "To use an existing one, set DATA_DIR to its folder, or set DATABASE_URL.\n",
    };
    assert.equal(await run(dataDir, main, ...args), expected);
    assert.not.ok(existsSync(dataDir));
    await mkdir(dataDir);
    assert.equal(await run(dataDir, main, ...args), expected);
    assert.equal(await readdir(dataDir), []);
  });
}

test("npm run migrate creates one and says so", async ({ scratch }) => {
  const dataDir = join(scratch, "data");
  const { code, out, err } = await run(dataDir, "db/main.ts");
  assert.is(code, 0, err);
  assert.match(out, "Created 8 shards.");
  assert.match(err, `Creating a new database in ${dataDir}/postgres.`);
  assert.equal(await run(dataDir, "scripts/keys/main.ts", "list"), {
    code: 0,
    out: "",
    err: "There are no keys. Create one with npm run -s keys -- create --scope write,read\n",
  });
});

test("npm run seed creates one and says so", async ({ scratch }) => {
  const dataDir = join(scratch, "data");
  const { code, out, err } = await run(dataDir, "scripts/seed/main.ts", "10");
  assert.is(code, 0, err);
  assert.match(out, `Creating a new database in ${dataDir}/postgres.`);
});

test.run();
