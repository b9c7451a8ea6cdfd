import { execFile } from "node:child_process";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { type FixtureFolder, fixtureFolder } from "./fixture_folder.ts";

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
    "0001_a.sql": "CREATE TABLE a ();",
    "0002_b.sql": "CREATE TABLE b ();",
  });
});

test.after.each(async ({ database, folder }) => {
  await database.drop();
  await folder.drop();
});

function main({ database, folder }: Context, ...args: string[]): Promise<Outcome> {
  return run(database.url, "--directory", folder.directory, ...args);
}

function run(url: string, ...args: string[]): Promise<Outcome> {
  return runWith({ DATABASE_URL: url }, ...args);
}

function runWith(variables: Record<string, string>, ...args: string[]): Promise<Outcome> {
  const env = { ...process.env, ...variables };
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test("it applies what is pending, says so and exits 0; then there is nothing to apply", async (context) => {
  const first = await main(context);
  assert.equal({ code: first.code, stderr: first.stderr }, { code: 0, stderr: "" });
  assert.match(
    first.stdout,
    /^Applied 0001_a\.sql in \d+ ms\.\nApplied 0002_b\.sql in \d+ ms\.\nThe queue schema tidemark_queue is now at version \d+\.\n$/,
  );
  const second = await main(context, "up");
  assert.equal(second, {
    code: 0,
    stdout: "Nothing to apply: the database is at 0002.\n",
    stderr: "",
  });
});

test("status exits 1 while something is pending and 0 when nothing is", async (context) => {
  const before = await main(context, "status");
  assert.is(before.code, 1);
  assert.match(before.stdout, /^0001 +a +pending$/m);
  assert.match(
    before.stdout,
    /^Queue schema tidemark_queue: not installed, this build wants \d+\.$/m,
  );

  await main(context);
  const after = await main(context, "status");
  assert.is(after.code, 0);
  assert.match(after.stdout, /^VERSION +NAME +STATE +APPLIED AT$/m);
  assert.match(after.stdout, /^0002 +b +applied +\d{4}-\d\d-\d\dT[\d:.]+Z$/m);
});

test("status exits 1 and says how to mend an edited file", async (context) => {
  await main(context);
  await context.folder.write("0001_a.sql", "-- changed");
  const { code, stdout } = await main(context, "status");
  assert.is(code, 1);
  assert.match(stdout, /^0001 +a +edited/m);
  assert.match(stdout, /0001_a\.sql was edited after it was applied/);
});

test("a failing file is one line on standard error and exit code 1", async (context) => {
  await context.folder.write("0002_b.sql", "SELECT 1;\nCREATE TABEL b ();");
  const { code, stderr } = await main(context);
  assert.is(code, 1);
  assert.match(stderr, /^0002_b\.sql failed at line 2: syntax error at or near "TABEL".*\n$/);
});

test("a database that is not there is one line on standard error and exit code 1", async ({
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

test("bad usage is exit code 2 with the usage", async (context) => {
  for (const args of [["down"], ["up", "status"], ["--force"], ["grant"], ["grant", "a", "b"]]) {
    const { code, stderr } = await main(context, ...args);
    assert.is(code, 2, args.join(" "));
    assert.match(stderr, /Usage: npm run migrate/);
  }
});

test("--help prints the usage and exits 0", async (context) => {
  const { code, stdout } = await main(context, "--help");
  assert.is(code, 0);
  assert.match(stdout, /Usage: npm run migrate/);
});

test("another number of shards than the log has is refused, saying what to set", async ({
  database,
}) => {
  const withShards = (SHARDS: string) => runWith({ DATABASE_URL: database.url, SHARDS });
  assert.match((await withShards("3")).stdout, "The log has 3 shards.");
  const { code, stderr } = await withShards("4");
  assert.is(code, 1);
  assert.match(
    stderr,
    /^This log has 3 shards, not 4\. Set SHARDS=3\. The number of shards of a log cannot change\.\n$/,
  );
});

test.run();
