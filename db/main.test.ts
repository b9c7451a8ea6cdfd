import { execFile } from "node:child_process";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { type FixtureFolder, fixtureFolder } from "./folder.fixture.ts";

const F2 = "create or replace function tidemark.f() returns int language sql as 'select 2'";

const MAIN = join(import.meta.dirname, "main.ts");

interface Context {
  database: TestDatabase;
  folder: FixtureFolder;
}

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

const test = suite<Context>("npm run migrate");

test.before.each(async (context) => {
  context.database = await createTestDatabase();
  context.folder = await fixtureFolder({
    "0001_a.sql": "create table a ();",
    "0002_b.sql": "create table b ();",
    "functions/f.sql":
      "create or replace function tidemark.f() returns int language sql as 'select 1'",
  });
});

test.after.each(async ({ database, folder }) => {
  await database.drop();
  await folder.drop();
});

const main = ({ database, folder }: Context, ...args: string[]): Promise<Outcome> =>
  run(database.url, "--directory", folder.directory, ...args);

const run = (url: string, ...args: string[]): Promise<Outcome> =>
  runWith({ DATABASE_URL: url }, ...args);

const runWith = (variables: Record<string, string>, ...args: string[]): Promise<Outcome> => {
  const env = { ...process.env, ...variables };
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
};

test("it applies what is pending, prints it and exits with 0; then the database is up to date", async (context) => {
  const first = await main(context);
  assert.equal({ code: first.code, stderr: first.stderr }, { code: 0, stderr: "" });
  assert.match(
    first.stdout,
    /^ {2}0001_a\.sql \(\d+ ms\)\n {2}0002_b\.sql \(\d+ ms\)\n {2}functions\/f\.sql \(\d+ ms\)\nApplied 2 migrations and 1 function\.\nInstalled queue schema version \d+\.\n$/,
  );
  const second = await main(context, "up");
  assert.equal(second, { code: 0, stdout: "Up to date.\n", stderr: "" });
});

test("status exits with 1 while something is pending, a changed function for example, else with 0", async (context) => {
  const before = await main(context, "status");
  assert.is(before.code, 1);
  assert.match(before.stdout, /^0001_a\.sql +pending$/m);
  assert.match(
    before.stdout,
    /^Queue schema tidemark_queue: not installed; this build needs version \d+\.$/m,
  );

  await main(context);
  const after = await main(context, "status");
  assert.is(after.code, 0);
  assert.match(after.stdout, /^FILE +STATE +APPLIED AT$/m);
  for (const file of ["0002_b.sql", "functions/f.sql"]) {
    assert.match(
      after.stdout,
      new RegExp(String.raw`^${file} +applied +\d{4}-\d\d-\d\dT[\d:.]+Z$`, "m"),
    );
  }

  await context.folder.write("functions/f.sql", F2);
  const changed = await main(context, "status");
  assert.is(changed.code, 1);
  assert.match(changed.stdout, /^functions\/f\.sql +pending +\d{4}-/m);
});

test("status exits with 1 and says how to fix an edited file", async (context) => {
  await main(context);
  await context.folder.write("0001_a.sql", "-- changed");
  const { code, stdout } = await main(context, "status");
  assert.is(code, 1);
  assert.match(stdout, /^0001_a\.sql +edited/m);
  assert.match(stdout, /0001_a\.sql was edited after it was applied/);
});

test("a failing file gives one line on standard error and exit code 1", async (context) => {
  await context.folder.write("0002_b.sql", "select 1;\nCREATE TABEL b ();");
  const { code, stderr } = await main(context);
  assert.is(code, 1);
  assert.match(stderr, /^0002_b\.sql failed at line 2: syntax error at or near "TABEL".*\n$/);
});

test("an unreachable database gives one line on standard error and exit code 1", async ({
  folder,
}) => {
  const { code, stderr } = await run(
    "postgres://nobody:secret@localhost:1/none",
    "--directory",
    folder.directory,
  );
  assert.is(code, 1);
  assert.match(stderr, /^The database cannot be reached: [^\n]*ECONNREFUSED[^\n]*\n$/);
  assert.not.match(stderr, /secret/);
});

test("wrong usage gives exit code 2 and the usage", async (context) => {
  for (const args of [["down"], ["up", "status"], ["--force"], ["grant"], ["grant", "a", "b"]]) {
    const { code, stderr } = await main(context, ...args);
    assert.is(code, 2, args.join(" "));
    assert.match(stderr, /Usage: npm run migrate/);
  }
});

test("--help prints the usage and exits with 0", async (context) => {
  const { code, stdout } = await main(context, "--help");
  assert.is(code, 0);
  assert.match(stdout, /Usage: npm run migrate/);
});

test("a number of shards that differs from the log's is refused, saying what to set", async ({
  database,
}) => {
  const withShards = (SHARDS: string) => runWith({ DATABASE_URL: database.url, SHARDS });
  assert.match((await withShards("3")).stdout, "Created 3 shards.");
  const { code, stderr } = await withShards("4");
  assert.is(code, 1);
  assert.match(
    stderr,
    /^This log has 3 shards, not 4\. Set SHARDS=3\. The number of shards of a log cannot change\.\n$/,
  );
});

test.run();
