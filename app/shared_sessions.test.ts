import { suite } from "uvu";
import * as assert from "uvu/assert";

import { databaseOf } from "../adapters/postgres/pool.ts";
import { withClient } from "../db/client.ts";
import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { killServices, startService } from "./service_process.fixture.ts";
import { checkOwnSessions } from "./shared_sessions.ts";
import { startTransactionPooler, type TransactionPooler } from "./transaction_pooler.fixture.ts";

interface Context {
  database: TestDatabase;
  pooler: TransactionPooler;
}

const test = suite<Context>("connections that share sessions");

test.before.each(async (context) => {
  context.database = await createTestDatabase();
  context.pooler = await startTransactionPooler(context.database.url);
});
test.after.each(killServices);
test.after.each(async ({ database, pooler }) => {
  await pooler.close();
  await database.drop();
});

test("two connections to Postgres itself have a session each", async ({ database: { url } }) => {
  await withClient(url, (one) =>
    withClient(url, (other) => checkOwnSessions(databaseOf(one), databaseOf(other))),
  );
});

test("through a pooler in transaction mode the service does not start, says why, and has changed nothing", async ({
  database,
  pooler,
}) => {
  const service = startService({ DATABASE_URL: pooler.url });
  assert.is(await service.ended, 1);
  assert.match(service.output(), "through a pooler that shares sessions between connections");
  const made = await withClient(database.url, (client) =>
    client.query("select from pg_namespace where nspname = 'tidemark'"),
  );
  assert.is(made.rowCount, 0);
});

test.run();
