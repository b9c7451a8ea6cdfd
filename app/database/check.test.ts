import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Database, databaseOf } from "../../adapters/postgres/pool.ts";
import { withClient } from "../../db/client.ts";
import { createTestDatabase, type TestDatabase } from "../../scripts/test/database.ts";
import { killServices, startService } from "../service_process.fixture.ts";
import { startTransactionPooler, type TransactionPooler } from "../transaction_pooler.fixture.ts";
import { checkOwnSessions, checkSettings } from "./check.ts";

const test = suite("a database that is not safe");
test.after.each(killServices);

/** A database with these settings. */
const saying = (settings: Readonly<Record<string, string>>): Database => ({
  query: async <Row>() =>
    Object.entries({
      fsync: "on",
      full_page_writes: "on",
      synchronous_commit: "on",
      server_version_num: "180004",
      server_version: "18.4",
      server_encoding: "UTF8",
      ...settings,
    }).map(([name, setting]) => ({ name, setting }) as Row),
});

const refused = async (settings: Readonly<Record<string, string>>, allow = false) => {
  try {
    await checkSettings(saying(settings), allow);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

test("each setting that can lose commits is refused by name", async () => {
  assert.is(await refused({}), undefined);
  assert.is(await refused({ synchronous_commit: "local" }), undefined);
  for (const name of ["fsync", "full_page_writes", "synchronous_commit"]) {
    const message = (await refused({ [name]: "off" })) ?? "";
    assert.match(message, `has ${name} off`);
    assert.match(message, "ALLOW_UNSAFE_DATABASE=true");
    assert.is(await refused({ [name]: "off" }, true), undefined);
  }
});

test("a server that is too old is always refused", async () => {
  assert.is(await refused({ server_version_num: "150000" }), undefined);
  const message = await refused({ server_version_num: "140012", server_version: "14.12" }, true);
  assert.match(message ?? "", "is Postgres 14.12. Tidemark needs 15 or newer");
});

test("any encoding but UTF8 is always refused", async () => {
  for (const server_encoding of ["SQL_ASCII", "LATIN1", "WIN1252", "EUC_JP"]) {
    const message = await refused({ server_encoding }, true);
    assert.match(message ?? "", `has the encoding ${server_encoding}, which cannot store`);
  }
});

test("sessions that lost a setting are refused, with its name", async () => {
  const message = await refused({ standard_conforming_strings: "off", statement_timeout: "5" });
  assert.match(message ?? "", "(standard_conforming_strings, statement_timeout)");
  assert.match(message ?? "", "Connect to Postgres itself");
});

test("the service does not start on a database that is not in UTF8, and changes nothing in it", async () => {
  const { url, drop } = await createTestDatabase("ENCODING 'LATIN1' LOCALE 'C'");
  const service = startService({ DATABASE_URL: url });
  assert.is(await service.ended, 1);
  assert.match(service.output(), "has the encoding LATIN1");
  const made = await withClient(url, (client) =>
    client.query("select from pg_namespace where nspname = 'tidemark'"),
  );
  assert.is(made.rowCount, 0);
  await drop();
});

test("the service does not start on an unsafe database and says why, unless that is allowed", async () => {
  const { url, drop } = await createTestDatabase();
  const name = new URL(url).pathname.slice(1);
  await withClient(url, (client) =>
    client.query(`alter database ${name} set synchronous_commit = off`),
  );
  const service = startService({ DATABASE_URL: url });
  assert.is(await service.ended, 1);
  assert.match(service.output(), "synchronous_commit off");
  const allowed = startService({ DATABASE_URL: url, ALLOW_UNSAFE_DATABASE: "true" });
  await allowed.url();
  assert.is(await allowed.stop(), 0);
  await drop();
});

test.run();

interface Context {
  database: TestDatabase;
  pooler: TransactionPooler;
}

const pooled = suite<Context>("connections that share sessions");

pooled.before.each(async (context) => {
  context.database = await createTestDatabase();
  context.pooler = await startTransactionPooler(context.database.url);
});
pooled.after.each(killServices);
pooled.after.each(async ({ database, pooler }) => {
  await pooler.close();
  await database.drop();
});

pooled("two connections to Postgres itself have a session each", async ({ database: { url } }) => {
  await withClient(url, (one) =>
    withClient(url, (other) => checkOwnSessions(databaseOf(one), databaseOf(other))),
  );
});

pooled(
  "through a pooler in transaction mode the service does not start, says why, and changes nothing",
  async ({ database, pooler }) => {
    const service = startService({ DATABASE_URL: pooler.url });
    assert.is(await service.ended, 1);
    assert.match(service.output(), "leads to a pooler that shares sessions between connections");
    const made = await withClient(database.url, (client) =>
      client.query("select from pg_namespace where nspname = 'tidemark'"),
    );
    assert.is(made.rowCount, 0);
  },
);

pooled.run();
