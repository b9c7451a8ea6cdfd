import { Client } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { type FixtureFolder, fixtureFolder } from "./fixture_folder.ts";
import { migrate } from "./migrate.ts";
import { migrationStatus } from "./status.ts";

interface Context {
  database: TestDatabase;
  folder: FixtureFolder;
}

const test = suite<Context>("migrationStatus");

test.before.each(async (context) => {
  context.database = await createTestDatabase();
  context.folder = await fixtureFolder({ "0001_a.sql": "SELECT 1;", "0002_b.sql": "SELECT 2;" });
});

test.after.each(async ({ database, folder }) => {
  await database.drop();
  await folder.drop();
});

test("everything is pending in a database that was never migrated, and asking writes nothing", async (context) => {
  const { database, folder } = context;
  assert.equal(await migrationStatus(database.url, { directory: folder.directory }), [
    { version: 1, name: "a", state: "pending" },
    { version: 2, name: "b", state: "pending" },
  ]);
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query("SELECT to_regnamespace('tidemark') AS schema");
  await client.end();
  assert.equal(rows, [{ schema: null }]);
});

test("applied, edited, missing and pending files are told apart", async ({ database, folder }) => {
  await folder.write("0003_c.sql", "SELECT 3;");
  await migrate(database.url, { directory: folder.directory });
  const states = async (): Promise<string[]> =>
    (await migrationStatus(database.url, { directory: folder.directory })).map(
      ({ name, state }) => `${name} ${state}`,
    );

  await folder.write("0002_b.sql", "SELECT 22;");
  await folder.write("0004_d.sql", "SELECT 4;");
  assert.equal(await states(), ["a applied", "b edited", "c applied", "d pending"]);

  await folder.remove("0003_c.sql");
  await folder.remove("0004_d.sql");
  assert.equal(await states(), ["a applied", "b edited", "c missing_file"]);
});

test("an applied file says when", async ({ database, folder }) => {
  await migrate(database.url, { directory: folder.directory });
  const [first] = await migrationStatus(database.url, { directory: folder.directory });
  assert.instance(first?.appliedAt, Date);
});

test.run();
