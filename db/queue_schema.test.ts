import { Client } from "pg";
import { getRollbackPlans, PgBoss } from "pg-boss";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { QUEUE_SCHEMA } from "../adapters/pg_boss/queue_settings.ts";
import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { until } from "../scripts/test/patience.ts";
import { QueueSchemaFailed } from "./errors.ts";
import { installQueueSchema } from "./queue_schema.ts";
import { queueSchemaStatus } from "./queue_schema_status.ts";

interface Context {
  database: TestDatabase;
  client: Client;
}

const test = suite<Context>("installQueueSchema");

test.before.each(async (context) => {
  context.database = await createTestDatabase();
  context.client = new Client({ connectionString: context.database.url });
  await context.client.connect();
});

test.after.each(async ({ client, database }) => {
  await client.end();
  await database.drop();
});

function appBoss(url: string): PgBoss {
  return new PgBoss({
    connectionString: url,
    schema: QUEUE_SCHEMA,
    migrate: false,
    supervise: false,
    schedule: false,
  });
}

test("it installs the version that this build wants, once", async ({ database }) => {
  const { installed, wanted } = await queueSchemaStatus(database.url);
  assert.is(installed, null);
  assert.equal(await installQueueSchema(database.url), { from: null, to: wanted });
  assert.equal(await installQueueSchema(database.url), { from: wanted, to: wanted });
  const after = await queueSchemaStatus(database.url);
  assert.equal(after, { schema: QUEUE_SCHEMA, installed: wanted, wanted, unfinishedBuilds: 0 });
});

test("the table of the jobs is seldom read whole, in a schema that was installed before, too", async ({
  database,
  client,
}) => {
  const found = async () => {
    const { rows } = await client.query(
      `select coalesce(reloptions, '{}') as options,
         to_regclass('${QUEUE_SCHEMA}.job_common_active') is not null as "isIndexed",
         (select monitor_backoff_on = 'infinity' from ${QUEUE_SCHEMA}.version) as "isUncounted"
       from pg_class where oid = '${QUEUE_SCHEMA}.job_common'::regclass`,
    );
    return rows[0];
  };
  const seldom = {
    options: ["autovacuum_analyze_threshold=50000"],
    isIndexed: true,
    isUncounted: true,
  };
  await installQueueSchema(database.url);
  assert.equal(await found(), seldom);
  await client.query(`
    alter table ${QUEUE_SCHEMA}.job_common reset (autovacuum_analyze_threshold);
    drop index ${QUEUE_SCHEMA}.job_common_active;
    update ${QUEUE_SCHEMA}.version set monitor_backoff_on = null`);
  assert.equal(await found(), { options: [], isIndexed: false, isUncounted: null });
  await installQueueSchema(database.url);
  assert.equal(await found(), seldom);
});

test("pg-boss looks for the jobs of dead workers by the index, and counts none", async ({
  database,
  client,
}) => {
  await installQueueSchema(database.url, { installQueues: (boss) => boss.createQueue("append") });
  // An empty table is sooner read whole, whatever its indexes are for.
  await client.query(
    `do $$ begin execute format('alter database %I set enable_seqscan = off', current_database()); end $$`,
  );
  const boss = appBoss(database.url);
  await boss.start();
  await boss.supervise();
  // Its connections tell what they read when they close.
  await boss.stop({ graceful: false });
  const looks = async (): Promise<number> => {
    const { rows } = await client.query(
      `select idx_scan::int as looks from pg_stat_user_indexes where indexrelname = 'job_common_active'`,
    );
    return rows[0].looks;
  };
  await until(async () => (await looks()) >= 2, "the index is not used");
  assert.is(await looks(), 2);
  const { rows } = await client.query(
    `select monitor_claim_on is not null as "isLookedAt", monitor_on is not null as "isCounted"
     from ${QUEUE_SCHEMA}.queue where name = 'append'`,
  );
  assert.equal(rows, [{ isLookedAt: true, isCounted: false }]);
});

test("two installs at once both succeed", async ({ database }) => {
  const results = await Promise.all([
    installQueueSchema(database.url),
    installQueueSchema(database.url),
  ]);
  const { wanted } = await queueSchemaStatus(database.url);
  assert.equal(
    results.map(({ to }) => to),
    [wanted, wanted],
  );
});

test("several at once all succeed on a schema that was installed before", async ({
  database,
  client,
}) => {
  const { to } = await installQueueSchema(database.url);
  for (let round = 0; round < 3; round++) {
    await client.query(`drop index ${QUEUE_SCHEMA}.job_common_active`);
    const results = await Promise.all(
      Array.from({ length: 4 }, () => installQueueSchema(database.url)),
    );
    assert.ok(results.every((result) => result.to === to));
  }
});

test("queues are created by the callback, and an app without DDL then finds them", async ({
  database,
}) => {
  await installQueueSchema(database.url, { installQueues: (boss) => boss.createQueue("append") });
  const boss = appBoss(database.url);
  await boss.start();
  try {
    assert.is((await boss.getQueue("append"))?.name, "append");
  } finally {
    await boss.stop({ graceful: false });
  }
});

test("an upgrade ends only when the index builds that pg-boss leaves to the background are done", async (context) => {
  const { client, database } = context;
  await installQueueSchema(database.url);
  const { wanted } = await queueSchemaStatus(database.url);
  await client.query(getRollbackPlans(QUEUE_SCHEMA, wanted));
  assert.is((await queueSchemaStatus(database.url)).installed, wanted - 1);

  // pg-boss builds nothing within 10 s of its last build, so that the builds of this upgrade are still to do.
  await client.query(`UPDATE ${QUEUE_SCHEMA}.version SET bam_on = now()`);
  const error = await installQueueSchema(database.url, { buildWaitMs: 0 }).catch(
    (cause: unknown) => cause,
  );
  assert.match((error as Error).message, /its index builds are not finished/);
  assert.ok((await queueSchemaStatus(database.url)).unfinishedBuilds > 0);

  await client.query(`UPDATE ${QUEUE_SCHEMA}.version SET bam_on = NULL`);
  assert.equal(await installQueueSchema(database.url), { from: wanted, to: wanted });
  assert.is((await queueSchemaStatus(database.url)).unfinishedBuilds, 0);
});

test("a schema newer than this build is refused", async ({ client, database }) => {
  await installQueueSchema(database.url);
  await client.query(`UPDATE ${QUEUE_SCHEMA}.version SET version = version + 1`);
  const error = await installQueueSchema(database.url).catch((cause: unknown) => cause);
  assert.instance(error, QueueSchemaFailed);
  assert.match((error as Error).message, /it is at version \d+ and this build wants \d+/);
});

test("a schema that holds something else is refused, where pg-boss itself would start without a word", async (context) => {
  await context.client.query(
    `CREATE SCHEMA ${QUEUE_SCHEMA}; CREATE TYPE ${QUEUE_SCHEMA}.job_state AS ENUM ('mine')`,
  );
  const error = await installQueueSchema(context.database.url).catch((cause: unknown) => cause);
  assert.instance(error, QueueSchemaFailed);
  assert.match((error as Error).message, /objects that are not pg-boss's/);
});

test("a failing callback fails the install with its message", async ({ database }) => {
  const installQueues = (): Promise<void> => Promise.reject(new Error("no such policy"));
  const error = await installQueueSchema(database.url, { installQueues }).catch(
    (cause: unknown) => cause,
  );
  assert.instance(error, QueueSchemaFailed);
  assert.match((error as Error).message, /no such policy/);
});

test.run();
