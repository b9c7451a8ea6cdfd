import { Client } from "pg";
import { getRollbackPlans, PgBoss } from "pg-boss";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { QUEUE_SCHEMA } from "../adapters/pg_boss/queue_settings.ts";
import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { until } from "../scripts/test/patience.ts";
import { QueueSchemaFailed } from "./errors.ts";
import { installQueueSchema, queueSchemaStatus } from "./queue_schema.ts";

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

const appBoss = (url: string): PgBoss =>
  new PgBoss({
    connectionString: url,
    schema: QUEUE_SCHEMA,
    migrate: false,
    supervise: false,
    schedule: false,
  });

test("it installs the version that this build wants, once", async ({ database }) => {
  const { installed, wanted } = await queueSchemaStatus(database.url);
  assert.is(installed, null);
  assert.equal(await installQueueSchema(database.url), { from: null, to: wanted });
  assert.equal(await installQueueSchema(database.url), { from: wanted, to: wanted });
  const after = await queueSchemaStatus(database.url);
  assert.equal(after, { installed: wanted, wanted, unfinishedBuilds: 0 });
});

test("the job table is tuned, also in a schema that was installed before", async ({
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
  const tuned = {
    options: ["autovacuum_analyze_threshold=50000"],
    isIndexed: true,
    isUncounted: true,
  };
  await installQueueSchema(database.url);
  assert.equal(await found(), tuned);
  await client.query(`
    alter table ${QUEUE_SCHEMA}.job_common reset (autovacuum_analyze_threshold);
    drop index ${QUEUE_SCHEMA}.job_common_active;
    update ${QUEUE_SCHEMA}.version set monitor_backoff_on = null`);
  assert.equal(await found(), { options: [], isIndexed: false, isUncounted: null });
  await installQueueSchema(database.url);
  assert.equal(await found(), tuned);
});

test("pg-boss searches for jobs of dead workers with the index, and does not count jobs", async ({
  database,
  client,
}) => {
  await installQueueSchema(database.url, { installQueues: (boss) => boss.createQueue("append") });
  // The planner prefers a sequential scan of an empty table.
  await client.query(
    `do $$ begin execute format('alter database %I set enable_seqscan = off', current_database()); end $$`,
  );
  const boss = appBoss(database.url);
  await boss.start();
  await boss.supervise();
  // Its connections report their statistics when they close.
  await boss.stop({ graceful: false });
  const scans = async (): Promise<number> => {
    const { rows } = await client.query(
      `select idx_scan::int as scans from pg_stat_user_indexes where indexrelname = 'job_common_active'`,
    );
    return rows[0].scans;
  };
  await until(async () => (await scans()) >= 2, "the index is not used");
  assert.is(await scans(), 2);
  const { rows } = await client.query(
    `select monitor_claim_on is not null as "isLookedAt", monitor_on is not null as "isCounted"
     from ${QUEUE_SCHEMA}.queue where name = 'append'`,
  );
  assert.equal(rows, [{ isLookedAt: true, isCounted: false }]);
});

test("two simultaneous installations both succeed", async ({ database }) => {
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

test("several simultaneous installations succeed on a schema that was installed before", async ({
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

test("the callback creates queues that a service without DDL then finds", async ({ database }) => {
  await installQueueSchema(database.url, { installQueues: (boss) => boss.createQueue("append") });
  const boss = appBoss(database.url);
  await boss.start();
  try {
    assert.is((await boss.getQueue("append"))?.name, "append");
  } finally {
    await boss.stop({ graceful: false });
  }
});

test("an upgrade ends only when pg-boss has finished its index builds in the background", async (context) => {
  const { client, database } = context;
  await installQueueSchema(database.url);
  const { wanted } = await queueSchemaStatus(database.url);
  await client.query(getRollbackPlans(QUEUE_SCHEMA, wanted));
  assert.is((await queueSchemaStatus(database.url)).installed, wanted - 1);

  // pg-boss starts no build within 10 s of the last one, so the builds of this upgrade are still
  // pending.
  await client.query(`update ${QUEUE_SCHEMA}.version set bam_on = now()`);
  const error = await installQueueSchema(database.url, { buildWaitMs: 0 }).catch(
    (cause: unknown) => cause,
  );
  assert.match((error as Error).message, /its index builds did not finish/);
  assert.ok((await queueSchemaStatus(database.url)).unfinishedBuilds > 0);

  await client.query(`update ${QUEUE_SCHEMA}.version set bam_on = null`);
  assert.equal(await installQueueSchema(database.url), { from: wanted, to: wanted });
  assert.is((await queueSchemaStatus(database.url)).unfinishedBuilds, 0);
});

test("a schema newer than this build is refused", async ({ client, database }) => {
  await installQueueSchema(database.url);
  await client.query(`update ${QUEUE_SCHEMA}.version set version = version + 1`);
  const error = await installQueueSchema(database.url).catch((cause: unknown) => cause);
  assert.instance(error, QueueSchemaFailed);
  assert.match((error as Error).message, /it has version \d+, and this build needs \d+/);
});

test("a schema with foreign objects is refused, on which pg-boss itself would start silently", async (context) => {
  await context.client.query(
    `create schema ${QUEUE_SCHEMA}; create type ${QUEUE_SCHEMA}.job_state as enum ('mine')`,
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
