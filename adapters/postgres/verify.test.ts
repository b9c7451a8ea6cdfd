import { Effect } from "effect";
import type pg from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../../core/event/event.fixture.ts";
import { shardOf } from "../../core/event/shard.ts";
import {
  createMigratedDatabase,
  type MigratedDatabase,
  TEST_SHARDS,
} from "../../scripts/test/migrated_database.ts";
import { makeEventLog } from "./event_log.ts";
import { openBuilderPool } from "./pool.ts";
import { makeProjection } from "./projection.ts";
import { makeSummaries } from "./summaries.ts";
import { verifyShard, type WrongRow } from "./verify.ts";

interface Context {
  readonly migrated: MigratedDatabase;
  readonly pool: pg.Pool;
}

const test = suite<Context>("verifyShard");

const ACCOUNT = "acme";
const SHARD = shardOf(ACCOUNT, TEST_SHARDS);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const EVENTS = 60;

/** A log with an event in each of sixty hours, all folded but the last, and its windows. */
test.before.each(async (context) => {
  const migrated = await createMigratedDatabase();
  const { url, database } = migrated;
  const now = Date.now();
  const events = Array.from({ length: EVENTS }, (_, i) =>
    anEvent({ accountId: ACCOUNT, eventId: `${i}`, occurredAt: now - (i + 1) * HOUR_MS }),
  );
  const projection = makeProjection(database);
  await Effect.runPromise(makeEventLog(database, TEST_SHARDS).append(SHARD, events));
  await Effect.runPromise(projection.step(SHARD, 9));
  await Effect.runPromise(projection.skip(SHARD, 10, "poisoned"));
  await Effect.runPromise(projection.step(SHARD, EVENTS - 11));
  const summaries = makeSummaries(database, TEST_SHARDS, { correctedMax: 0 });
  for (const days of [1, 7]) {
    const range = { from: now - days * DAY_MS, to: now };
    await Effect.runPromise(summaries.summary(ACCOUNT, range, 10));
  }
  while (await Effect.runPromise(projection.upkeep));
  Object.assign(context, { migrated, pool: openBuilderPool(url, 1) });
});
test.after.each(async ({ migrated, pool }) => {
  await pool.end();
  await migrated.close();
});

const verify = async (pool: pg.Pool) => {
  const wrong: WrongRow[] = [];
  const { signal } = new AbortController();
  const events = await verifyShard(pool, SHARD, signal, (row) => void wrong.push(row));
  return { wrong, events };
};

/** Changes the live read models, and returns the rows that are wrong then. */
const spoiled = async ({ migrated, pool }: Context, text: string) => {
  await migrated.database.query({ name: "", text }, []);
  const { wrong } = await verify(pool);
  return wrong.map(({ shard, table, live, log, key }) => {
    assert.is(shard, SHARD);
    return [table, JSON.parse(key) as Record<string, unknown>, live, log] as const;
  });
};

test("correct read models have no wrong row, with a skipped event and one that is not folded yet", async ({
  pool,
}) => {
  assert.equal(await verify(pool), { wrong: [], events: EVENTS - 1 });
});

test("a wrong, a missing and a superfluous row are each found", async (context) => {
  const one = "ctid = (select min(ctid) from read_models.activity_by_type)";
  const wrong = await spoiled(
    context,
    `update read_models.activity_by_type set events = events + 2 where ${one}`,
  );
  assert.equal(
    wrong.map(([table, , live, log]) => [table, live, log]),
    [["activity_by_type", 3, 1]],
  );
  const missing = await spoiled(
    context,
    `delete from read_models.activity_by_type where events = 3`,
  );
  assert.equal(
    missing.map(([table, , live, log]) => [table, live, log]),
    [["activity_by_type", null, 1]],
  );
  assert.equal(missing[0]?.[1], wrong[0]?.[1]);
  const extra = await spoiled(
    context,
    `insert into read_models.activity_by_type (shard, account_id, hour, type, events)
     values (${SHARD}, 'nobody', '2026-01-01T00:00:00Z', 'login', 0)`,
  );
  assert.equal(
    extra
      .filter(([, { account_id }]) => account_id === "nobody")
      .map(([table, , live, log]) => [table, live, log]),
    [["activity_by_type", 0, null]],
  );
  assert.is(extra.length, 2);
});

test("so are those of windows", async (context) => {
  const users = await spoiled(
    context,
    "update read_models.window_users set events = events - 1 where hours = 24",
  );
  assert.equal(
    users.map(([table, key]) => [table, key]),
    [["window_users", { account_id: ACCOUNT, hours: 24, user_id: "ada" }]],
  );
  const types = await spoiled(context, "delete from read_models.window_types where hours = 168");
  assert.equal(
    types
      .map(([table, key, live]) => [table, key, live])
      .filter(([table]) => table === "window_types"),
    [["window_types", { account_id: ACCOUNT, hours: 168, type: "login" }, null]],
  );
  const orphans = await spoiled(context, "delete from read_models.windows where hours = 24");
  assert.ok(
    orphans.some(
      ([table, { hours }, , log]) => table === "window_users" && hours === 24 && log === null,
    ),
    "counts of a window that does not exist",
  );
});

test("thousands of wrong rows are reported one by one", async ({ migrated, pool }) => {
  const text = `
    insert into read_models.activity_by_type (shard, account_id, hour, type, events)
    select ${SHARD}, 'account-' || n, '2026-01-01T00:00:00Z', 'login', 1 from generate_series(1, 2500) n`;
  await migrated.database.query({ name: "", text }, []);
  const { wrong } = await verify(pool);
  assert.is(new Set(wrong.map(({ key }) => key)).size, 2_500);
});

test("an interrupt ends its statement in the database as well", async ({ migrated, pool }) => {
  const blocker = openBuilderPool(migrated.url, 1);
  const client = await blocker.connect();
  await client.query("begin; lock table tidemark.events in access exclusive mode");
  const interrupt = new AbortController();
  const running = verifyShard(pool, SHARD, interrupt.signal, () => {}).catch(
    (error: unknown) => error,
  );
  const text = `
    select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  const waits = async () => (await migrated.database.query({ name: "", text }, [])).length > 0;
  while (!(await Promise.race([waits(), running.then(() => true)])));
  interrupt.abort();
  assert.instance(await running, Error);
  assert.is(await waits(), false);
  client.release(true);
  await blocker.end();
});

test.run();
