import { Client } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { withClient } from "./client.ts";
import {
  DatabaseEncodingUnfit,
  MigrationEdited,
  MigrationFailed,
  MigrationFolderInvalid,
  MigrationMissing,
  MigrationOutOfOrder,
} from "./errors.ts";
import { type FixtureFolder, fixtureFolder } from "./fixture_folder.ts";
import { type Applied, migrate } from "./migrate.ts";

interface Context {
  database: TestDatabase;
  folder: FixtureFolder;
  client: Client;
}

const test = suite<Context>("migrate");

test.before.each(async (context) => {
  context.database = await createTestDatabase();
  context.folder = await fixtureFolder({
    "0001_ledger.sql": "CREATE TABLE ledger (line int);",
    "0002_first_line.sql": "INSERT INTO ledger SELECT 1 + count(*) FROM ledger;",
    "0003_second_line.sql": "INSERT INTO ledger SELECT 1 + count(*) FROM ledger;",
  });
  context.client = new Client({ connectionString: context.database.url });
  await context.client.connect();
});

test.after.each(async ({ client, database, folder }) => {
  await client.end();
  await database.drop();
  await folder.drop();
});

function run({ database, folder }: Context): Promise<Applied[]> {
  return migrate(database.url, { directory: folder.directory });
}

async function failure(context: Context): Promise<unknown> {
  return run(context).catch((error: unknown) => error);
}

async function appliedVersions(client: Client): Promise<number[]> {
  const { rows } = await client.query(
    "SELECT version FROM tidemark.schema_migrations ORDER BY applied_at",
  );
  return rows.map((row: { version: number }) => row.version);
}

async function ledgerLines(client: Client): Promise<number[]> {
  const { rows } = await client.query("SELECT line FROM ledger ORDER BY line");
  return rows.map((row: { line: number }) => row.line);
}

test("pending files are applied in order, each reported once it is committed", async ({
  client,
  database,
  folder,
}) => {
  const reported: string[] = [];
  const applied = await migrate(database.url, {
    directory: folder.directory,
    onApplied: ({ file }) => reported.push(file),
  });
  const files = ["0001_ledger.sql", "0002_first_line.sql", "0003_second_line.sql"];
  assert.equal(reported, files);
  assert.equal(
    applied.map(({ file }) => file),
    files,
  );
  assert.equal(await appliedVersions(client), [1, 2, 3]);
  assert.equal(await ledgerLines(client), [1, 2]);
});

test("a second run applies nothing, and a third only the file that is new", async (context) => {
  await run(context);
  assert.equal(await run(context), []);
  await context.folder.write(
    "0004_third_line.sql",
    "INSERT INTO ledger SELECT 1 + count(*) FROM ledger;",
  );
  assert.equal(
    (await run(context)).map(({ version }) => version),
    [4],
  );
  assert.equal(await ledgerLines(context.client), [1, 2, 3]);
});

test("a failing file leaves nothing behind, and the files before it stay", async (context) => {
  await context.folder.write(
    "0002_first_line.sql",
    "CREATE TABLE half_done (); INSERT INTO nowhere VALUES (1);",
  );
  const error = await failure(context);
  assert.instance(error, MigrationFailed);
  assert.equal(await appliedVersions(context.client), [1]);
  const { rows } = await context.client.query("SELECT to_regclass('half_done') AS half_done");
  assert.equal(rows, [{ half_done: null }]);
});

test("a failure names the file, the line and what Postgres said", async (context) => {
  const sql = "-- 😀 one character to Postgres\nSELECT 1;\n\nINSERT INTO nowhere\n  VALUES (1);\n";
  await context.folder.write("0002_first_line.sql", sql);
  const error = (await failure(context)) as MigrationFailed;
  assert.is(error.name, "MigrationFailed");
  assert.is(error.file, "0002_first_line.sql");
  assert.is(error.line, 4);
  assert.is(error.code, "42P01");
  assert.match(
    error.message,
    /0002_first_line\.sql failed at line 4: relation "nowhere" does not exist/,
  );
});

test("a failure at run time, which has no position, still names the file and the place in its block", async (context) => {
  await context.folder.write(
    "0002_first_line.sql",
    "DO $$ BEGIN\n  RAISE EXCEPTION 'no\nway';\nEND $$;",
  );
  const error = (await failure(context)) as MigrationFailed;
  assert.is(error.line, undefined);
  assert.match(
    error.message,
    /^0002_first_line\.sql failed: no way \(SQLSTATE P0001\), in .* line 2 at RAISE/,
  );
});

test("a constraint that only fails at the commit is a failure of its file", async (context) => {
  await context.folder.write(
    "0002_first_line.sql",
    "CREATE TABLE twice (a int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO twice VALUES (1), (1);",
  );
  assert.instance(await failure(context), MigrationFailed);
  assert.equal(await appliedVersions(context.client), [1]);
});

test("a file that ends the transaction itself is refused and not recorded", async (context) => {
  await context.folder.write("0002_first_line.sql", "COMMIT; BEGIN; SELECT 1;");
  const error = (await failure(context)) as MigrationFailed;
  assert.instance(error, MigrationFailed);
  assert.match(error.message, /take COMMIT, ROLLBACK and BEGIN out of the file/);
  assert.equal(await appliedVersions(context.client), [1]);
});

test("an edited file that is applied is refused with the way to mend it, and nothing new is applied", async (context) => {
  await run(context);
  await context.folder.write("0002_first_line.sql", "-- better\n");
  await context.folder.write("0004_new.sql", "SELECT 1;");
  const error = (await failure(context)) as MigrationEdited;
  assert.instance(error, MigrationEdited);
  assert.is(error.file, "0002_first_line.sql");
  assert.match(error.message, /Restore the file .* new migration/);
  assert.equal(await appliedVersions(context.client), [1, 2, 3]);
});

test("a build older than the database is refused, naming the file it lacks", async (context) => {
  await run(context);
  await context.folder.remove("0003_second_line.sql");
  const error = (await failure(context)) as MigrationMissing;
  assert.instance(error, MigrationMissing);
  assert.is(error.file, "0003_second_line.sql");
  assert.match(error.message, /the build is older than the database/);
});

test("a pending file before an applied one is refused", async (context) => {
  await run(context);
  await context.client.query("DELETE FROM tidemark.schema_migrations WHERE version = 2");
  const error = (await failure(context)) as MigrationOutOfOrder;
  assert.instance(error, MigrationOutOfOrder);
  assert.is(error.file, "0002_first_line.sql");
  assert.is(error.appliedFile, "0003_second_line.sql");
});

test("an invalid folder is refused before the database is touched", async (context) => {
  await context.folder.remove("0002_first_line.sql");
  assert.instance(await failure(context), MigrationFolderInvalid);
  const { rows } = await context.client.query("SELECT to_regnamespace('tidemark') AS schema");
  assert.equal(rows, [{ schema: null }]);
});

test("a database that is up to date needs no right to create anything", async (context) => {
  await run(context);
  const role = new URL(context.database.url).pathname.replace("/test_", "reader_");
  await context.client.query(
    `CREATE ROLE ${role}; GRANT USAGE ON SCHEMA tidemark TO ${role};
     GRANT SELECT ON tidemark.schema_migrations TO ${role}; SET ROLE ${role}`,
  );
  try {
    assert.equal(await migrate(context.client, { directory: context.folder.directory }), []);
  } finally {
    await context.client.query(`RESET ROLE; DROP OWNED BY ${role}; DROP ROLE ${role}`);
  }
});

test("a database that cannot hold every text is refused before anything is made", async ({
  folder,
}) => {
  for (const encoding of ["LATIN1", "SQL_ASCII"]) {
    const database = await createTestDatabase(`ENCODING '${encoding}' LOCALE 'C'`);
    try {
      const error = await migrate(database.url, { directory: folder.directory }).catch(
        (thrown: unknown) => thrown,
      );
      assert.instance(error, DatabaseEncodingUnfit);
      assert.match((error as Error).message, `has the encoding ${encoding}, which cannot hold`);
      await withClient(database.url, async (client) => {
        const made = await client.query("SELECT to_regnamespace('tidemark') AS schema");
        assert.equal(made.rows, [{ schema: null }]);
      });
    } finally {
      await database.drop();
    }
  }
});

test.run();
