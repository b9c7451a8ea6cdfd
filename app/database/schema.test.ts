import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { withClient } from "../../db/client.ts";
import { createTestDatabase, type TestDatabase } from "../../scripts/test/database.ts";
import { until } from "../../scripts/test/patience.ts";
import {
  accept,
  anEvent,
  postEvents,
  statusOf,
  untilLogins,
  untilReady,
} from "../api_client.fixture.ts";
import { killServices, startService } from "../service_process.fixture.ts";
import { makeTcpGate } from "../tcp_gate.fixture.ts";

interface Context {
  database: TestDatabase;
}

const test = suite<Context>("the database at start");

test.before.each(async (context) => {
  context.database = await createTestDatabase();
});
test.after.each(killServices);
test.after.each(async ({ database }) => {
  await database.drop();
});

const MIGRATE = fileURLToPath(new URL("../../db/main.ts", import.meta.url));

const migrateUp = (url: string) =>
  promisify(execFile)(process.execPath, [MIGRATE, "up"], {
    env: { ...process.env, DATABASE_URL: url },
  });

const readiness = async (url: string): Promise<string> => (await fetch(`${url}/readyz`)).text();

/** Where a service listens that is not ready and so has not said where. */
const freeUrl = async (): Promise<{ readonly url: string; readonly PORT: string }> => {
  const { url } = await makeTcpGate("postgres://127.0.0.1:1/x");
  const { port } = new URL(url);
  return { url: `http://127.0.0.1:${port}`, PORT: port };
};

/** The logged reasons for waiting. */
const waits = (output: string): ReadonlyArray<string> =>
  Array.from(
    output.matchAll(/Waiting for the database.*"reason":"([^"]*)"/g),
    ([, reason]) => reason ?? "",
  );

test("the service waits for an unavailable database, and logs each reason once", async ({
  database,
}) => {
  const gate = await makeTcpGate(database.url);
  const { url, PORT } = await freeUrl();
  const service = startService({ DATABASE_URL: gate.url, PORT });
  await service.prints(/Waiting for the database.*ECONNREFUSED/);
  assert.is(await statusOf(url, "/healthz"), 200);
  assert.match(await readiness(url), /cannot be reached.*ECONNREFUSED/);
  const refused = await postEvents(url, [anEvent()]);
  assert.is(refused.status, 503);
  assert.is(refused.headers.get("retry-after"), "1");
  assert.match(await refused.text(), "urn:tidemark:problem:starting");

  await gate.hangUp();
  await until(async () => gate.hungUp() >= 3, "it does not try again");
  await gate.open();
  assert.is(await service.url(), url);
  await accept(url, anEvent());
  await untilLogins(url, 1);
  assert.is(await service.stop(), 0);
  await gate.close();
  const reasons = waits(service.output());
  assert.ok(reasons.length >= 2, reasons.join());
  assert.is(new Set(reasons).size, reasons.length, reasons.join());
});

test("a service that waits for its database can be stopped", async ({ database }) => {
  const gate = await makeTcpGate(database.url);
  const service = startService({ DATABASE_URL: gate.url });
  await service.prints(/Waiting for the database/);
  assert.is(await service.stop(), 0);
});

test("a wrong password ends the service, with the setting to change and without the password", async ({
  database,
}) => {
  const url = new URL(database.url);
  url.password = "wrong-secret";
  const service = startService({ DATABASE_URL: url.href, LOG_FORMAT: "pretty" });
  assert.is(await service.ended, 1);
  assert.match(service.output(), /^The database .* password .*Check DATABASE_URL\.\n$/);
  assert.not.match(service.output(), "wrong-secret");
});

test("without MIGRATE_ON_START it says what is missing, and continues once it is there", async ({
  database,
}) => {
  const { url, PORT } = await freeUrl();
  const service = startService({ DATABASE_URL: database.url, PORT, MIGRATE_ON_START: "false" });
  await service.prints(/Waiting for the database/);
  assert.is(await statusOf(url, "/healthz"), 200);
  assert.is(await statusOf(url, "/readyz"), 503);
  assert.match(
    await readiness(url),
    /[1-9][0-9]* migrations and [1-9][0-9]* functions are pending, and the queue schema is not installed: run npm run migrate/,
  );
  const refused = await postEvents(url, [anEvent()]);
  assert.is(refused.status, 503);
  assert.match(await refused.text(), "urn:tidemark:problem:starting");

  await migrateUp(database.url);
  await untilReady(url);
  await accept(url, anEvent());
  await untilLogins(url, 1);
  assert.is(await service.stop(), 0);
});

test("it waits for a changed function to be applied, and refuses a database that a newer build has migrated", async ({
  database,
}) => {
  const run = (sql: string) => withClient(database.url, (client) => client.query(sql));
  await migrateUp(database.url);
  await run("update tidemark.schema_functions set checksum = 'an older one' where name = 'append'");
  const { url, PORT } = await freeUrl();
  const settings = { DATABASE_URL: database.url, MIGRATE_ON_START: "false" };
  const service = startService({ ...settings, PORT });
  await service.prints(/1 function is pending: run npm run migrate/);
  const { stdout } = await migrateUp(database.url);
  assert.match(stdout, /^ {2}functions\/append\.sql \(\d+ ms\)\nApplied 1 function\.\n/);
  await untilReady(url);
  assert.is(await service.stop(), 0);

  await run("insert into tidemark.schema_functions values ('append', 'a newer one', now(), 0)");
  const older = startService(settings);
  assert.is(await older.ended, 1);
  assert.match(older.output(), "functions/append.sql");
  assert.match(older.output(), "the build is older than the database");
});

test("a number of shards that differs from the log's is refused, with the value to set", async ({
  database,
}) => {
  const first = startService({ DATABASE_URL: database.url, SHARDS: "3" });
  await first.url();
  assert.is(await first.stop(), 0);
  const second = startService({ DATABASE_URL: database.url, SHARDS: "4" });
  assert.is(await second.ended, 1);
  assert.match(second.output(), "This log has 3 shards, not 4. Set SHARDS=3.");
  assert.is(second.output().trimEnd().split("\n").length, 1, second.output());
});

test.run();
