import { Client } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { until } from "../scripts/test/patience.ts";
import { MigrationsLocked } from "./errors.ts";
import { type FixtureFolder, fixtureFolder } from "./folder.fixture.ts";
import { MIGRATION_LOCK_KEY } from "./lock.ts";
import { migrate } from "./migrate.ts";

interface Context {
  database: TestDatabase;
  folder: FixtureFolder;
  /** Another session, which holds the migration lock when a test starts. */
  other: Client;
}

const test = suite<Context>("the migration lock");

test.before.each(async (context) => {
  context.database = await createTestDatabase();
  context.folder = await fixtureFolder({
    "0001_a.sql": "create table a ();",
    "0002_b.sql": "create table b ();",
    "functions/f.sql":
      "create or replace function tidemark.f() returns int language sql as 'select 1'",
  });
  context.other = new Client({
    connectionString: context.database.url,
    application_name: "other deploy",
  });
  await context.other.connect();
  await context.other.query("select pg_advisory_lock($1)", [MIGRATION_LOCK_KEY]);
});

test.after.each(async ({ other, database, folder }) => {
  await other.end();
  await database.drop();
  await folder.drop();
});

const untilWaiting = (client: Client, sessions: number): Promise<void> =>
  until(async () => {
    const { rowCount } = await client.query(
      `select from pg_locks where locktype = 'advisory' and not granted
          and database = (select oid from pg_database where datname = current_database())`,
    );
    return rowCount === sessions;
  }, `${sessions} sessions never waited for the lock`);

test("two runners that start at the same time both succeed and apply each file once", async ({
  database,
  folder,
  other,
}) => {
  // allSettled, so that a runner that fails before it waits is an outcome and not an unhandled
  // rejection.
  const runners = Promise.allSettled(
    [1, 2].map(() => migrate(database.url, { directory: folder.directory })),
  );
  await untilWaiting(other, 2);
  await other.query("select pg_advisory_unlock($1)", [MIGRATION_LOCK_KEY]);
  const applied = (await runners).map((run) =>
    run.status === "fulfilled" ? run.value.map(({ file }) => file) : [String(run.reason)],
  );
  assert.equal(
    applied.toSorted((a, b) => a.length - b.length),
    [[], ["0001_a.sql", "0002_b.sql", "functions/f.sql"]],
  );
  const { rows } = await other.query(
    "select version from tidemark.schema_migrations order by version",
  );
  assert.equal(rows, [{ version: 1 }, { version: 2 }]);
});

test("the wait is bounded, and the error names the session that holds the lock", async ({
  database,
  folder,
  other,
}) => {
  const { rows } = await other.query<{ pid: number }>("select pg_backend_pid() as pid");
  const error = await migrate(database.url, { directory: folder.directory, lockWaitMs: 50 }).catch(
    (e: unknown) => e,
  );
  assert.instance(error, MigrationsLocked);
  assert.is((error as MigrationsLocked).waitedMs, 50);
  assert.match(
    (error as MigrationsLocked).message,
    `held by pid ${rows[0]?.pid} (application "other deploy"`,
  );
});

test("the lock is released after a run and after a failing one, on a client that stays open", async (context) => {
  const { database, folder, other } = context;
  const options = { directory: folder.directory };
  await folder.write("0002_b.sql", "nonsense");
  await migrate(other, options).catch(() => {});
  await other.query("select pg_advisory_unlock_all()");
  await migrate(other, options).catch(() => {});
  await folder.write("0002_b.sql", "create table b ();");
  assert.equal(
    (await migrate(database.url, { ...options, lockWaitMs: 50 })).map(({ file }) => file),
    ["0002_b.sql", "functions/f.sql"],
  );
});

test("the caller's client keeps its own lock_timeout", async ({ folder, other }) => {
  await other.query("set lock_timeout = '7s'");
  await migrate(other, { directory: folder.directory });
  assert.equal((await other.query("show lock_timeout")).rows, [{ lock_timeout: "7s" }]);
});

test.run();
