import { Effect } from "effect";
import * as fc from "fast-check";
import pg from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { collapse } from "../../core/event/batch.ts";
import { anEvent } from "../../core/event/event.fixture.ts";
import { type Event } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";
import { READ_MODELS } from "../../core/projection/read_models.ts";
import { type SummaryCounts, summarise } from "../../core/summary/summary.ts";
import {
  createMigratedDatabase,
  type MigratedDatabase,
  TEST_SHARDS,
} from "../../scripts/test/migrated_database.ts";
import { makeEventLog } from "./event_log.ts";
import { makeProjection } from "./projection.ts";
import { compileStep } from "./read_model_sql.ts";
import { makeSummaries } from "./summaries.ts";

const test = suite("Summaries: postgres, from rolling windows");

let migrated: MigratedDatabase;
let accounts = 0;

test.before(async () => {
  migrated = await createMigratedDatabase();
});
test.after(() => migrated.close());

const DAY_MS = 86_400_000;

/** Operations on an account, in any order. Times are in hours before now. */
type Action =
  | { readonly do: "append"; readonly events: ReadonlyArray<readonly [user: number, ago: number]> }
  | { readonly do: "project" }
  | { readonly do: "move the window"; readonly pieceEvents: number }
  | { readonly do: "read"; readonly ago: number; readonly days: 1 | 7; readonly top: number };

// Inside, outside and around the ends of both windows, off by milliseconds or hours.
const ago = fc
  .oneof(
    fc.integer({ min: 0, max: 200 }),
    fc
      .tuple(fc.constantFrom(0, 24, 168), fc.integer({ min: -3, max: 3 }))
      .map(([h, ms]) => h + ms / 3_600_000),
  )
  .filter((hours) => hours >= 0);

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    do: fc.constant("append" as const),
    events: fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), ago), { maxLength: 25 }),
  }),
  fc.record({ do: fc.constant("project" as const) }),
  fc.record({
    do: fc.constant("move the window" as const),
    pieceEvents: fc.integer({ min: 1, max: 40 }),
  }),
  fc.record({
    do: fc.constant("read" as const),
    ago,
    days: fc.constantFrom(1 as const, 7 as const),
    top: fc.integer({ min: 1, max: 5 }),
  }),
);

const counted = ({ totals, topUsers }: SummaryCounts) => ({
  totals: Object.fromEntries([...totals].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  topUsers,
});

test("a summary equals its definition, however windows were moved and whatever events came late", async () => {
  const { database } = migrated;
  const log = makeEventLog(database, TEST_SHARDS);
  const projection = makeProjection(database);
  // Every read requests its window.
  const summaries = makeSummaries(database, TEST_SHARDS, { correctedMax: 0 });
  let fromWindow = 0;

  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 10, maxLength: 30, size: "max" }),
      async (actions) => {
        const accountId = `account-${++accounts}`;
        const shard = shardOf(accountId, TEST_SHARDS);
        const now = Date.now();
        // The oldest request is served first: remove those of earlier runs.
        await database.query(
          { name: "forget", text: "delete from read_models.window_requests" },
          [],
        );
        const appended: Event[] = [];
        let projected = 0;
        for (const step of actions) {
          if (step.do === "append") {
            const events = step.events.map(([user, hours], i) =>
              anEvent({
                accountId,
                eventId: `${appended.length + i}`,
                userId: `user-${user}`,
                type: user % 2 === 0 ? "login" : "custom",
                occurredAt: Math.round(now - hours * 3_600_000),
              }),
            );
            await Effect.runPromise(log.append(shard, collapse(events).events));
            appended.push(...events);
          } else if (step.do === "project") {
            while ((await Effect.runPromise(projection.step(shard, 1_000))).projected > 0);
            projected = appended.length;
          } else if (step.do === "move the window") {
            await database.query(
              { name: "advance", text: "select tidemark.advance_window($1, $2)" },
              [shard, step.pieceEvents],
            );
            await database.query({ name: "build", text: "select tidemark.build_window($1)" }, [
              shard,
            ]);
          } else {
            const to = Math.round(now - step.ago * 3_600_000);
            const range = { from: to - step.days * DAY_MS, to };
            const summary = await Effect.runPromise(summaries.summary(accountId, range, step.top));
            const expected = summarise(appended.slice(0, projected), range, step.top);
            assert.equal(counted(summary), counted(expected));
            const windows = await database.query(
              { name: "windows", text: "select from read_models.windows where account_id = $1" },
              [accountId],
            );
            fromWindow += windows.length;
          }
        }
      },
    ),
    { numRuns: 80 },
  );
  // Otherwise this test would prove nothing.
  assert.ok(fromWindow > 50, `only ${fromWindow} reads had a window`);
});

test("upkeep moves every requested window to the present, and is then done", async () => {
  const { database } = migrated;
  const log = makeEventLog(database, TEST_SHARDS);
  const projection = makeProjection(database);
  const summaries = makeSummaries(database, TEST_SHARDS, { correctedMax: 10 });
  const accountId = "busy";
  const shard = shardOf(accountId, TEST_SHARDS);
  const now = Date.now();
  const events = Array.from({ length: 500 }, (_, i) =>
    anEvent({
      accountId,
      eventId: `${i}`,
      userId: `user-${i % 50}`,
      occurredAt: now - 1_000 - i * 60_000,
    }),
  );
  await Effect.runPromise(log.append(shard, events));
  await Effect.runPromise(projection.step(shard, 1_000));
  const range = { from: now - DAY_MS, to: now };
  const before = await Effect.runPromise(summaries.summary(accountId, range, 10));
  while (await Effect.runPromise(projection.upkeep));
  const counts = await database.query<{ events: number }>(
    {
      name: "counts",
      text: "select sum(events)::bigint as events from read_models.window_users where account_id = $1 and hours = 24",
    },
    [accountId],
  );
  assert.is(counts[0]?.events, 500);
  const requests = await database.query(
    { name: "requests", text: "select from read_models.window_requests where account_id = $1" },
    [accountId],
  );
  assert.is(requests.length, 0);
  const after = await Effect.runPromise(summaries.summary(accountId, range, 10));
  assert.equal(counted(after), counted(before));
});

test("events that are folded while a window is built count in it once", async () => {
  const { database, url } = migrated;
  const log = makeEventLog(database, TEST_SHARDS);
  const projection = makeProjection(database);
  const summaries = makeSummaries(database, TEST_SHARDS, { correctedMax: 0 });
  const accountId = "built";
  const shard = shardOf(accountId, TEST_SHARDS);
  const now = Date.now();
  const events = Array.from({ length: 40 }, (_, i) =>
    anEvent({ accountId, eventId: `${i}`, userId: `user-${i % 7}`, occurredAt: now - 60_000 - i }),
  );
  const range = { from: now - DAY_MS, to: now };
  await database.query({ name: "forget", text: "delete from read_models.window_requests" }, []);
  await Effect.runPromise(log.append(shard, events));
  await Effect.runPromise(projection.step(shard, 20));
  await Effect.runPromise(summaries.summary(accountId, range, 10));

  // Locks the shard, as a step would, so that the build waits just before its end.
  const step = new pg.Client({ connectionString: url });
  await step.connect();
  await step.query("begin");
  await step.query("select from read_models.checkpoints where shard = $1 for update", [shard]);
  const built = database.query({ name: "build", text: "select tidemark.build_window($1)" }, [
    shard,
  ]);
  await untilWaiting(step);
  // The step folds these meanwhile: the window does not exist for it yet.
  await step.query("update read_models.checkpoints set position = position + 20 where shard = $1", [
    shard,
  ]);
  await step.query("commit");
  await step.end();
  await built;

  const summary = await Effect.runPromise(summaries.summary(accountId, range, 10));
  assert.equal(counted(summary), counted(summarise(events, range, 10)));
  const [window] = await database.query<{ events: number }>(
    {
      name: "counted",
      text: "select sum(events)::bigint as events from read_models.window_users where account_id = $1",
    },
    [accountId],
  );
  assert.is(window?.events, 40);
});

test("a step that began before a window changed folds nothing, and the next one folds its events", async () => {
  const { database, url } = migrated;
  const log = makeEventLog(database, TEST_SHARDS);
  const projection = makeProjection(database);
  const accountId = "late";
  const shard = shardOf(accountId, TEST_SHARDS);
  await Effect.runPromise(log.append(shard, [anEvent({ accountId })]));
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // A step cannot be stopped between its snapshot and its lock. The same follows if it sees a
  // different number of window changes than it locks.
  const { text } = compileStep(READ_MODELS);
  const stale = text.replace(
    "seen.windows_changed = l.windows_changed",
    "seen.windows_changed = l.windows_changed - 1",
  );
  assert.is.not(stale, text);
  assert.is((await client.query(stale, [shard, 10])).rows.length, 0);
  await client.end();
  assert.ok((await Effect.runPromise(projection.step(shard, 10))).projected > 0);
});

test("every change of a window is visible to the steps of its shard", async () => {
  const { database } = migrated;
  const projection = makeProjection(database);
  const accountId = "changed";
  const shard = shardOf(accountId, TEST_SHARDS);
  const changes = async (): Promise<number> => {
    const [row] = await database.query<{ n: number }>(
      {
        name: "changes",
        text: "select windows_changed as n from read_models.checkpoints where shard = $1",
      },
      [shard],
    );
    return row?.n ?? Number.NaN;
  };
  const request = () =>
    database.query(
      {
        name: "request",
        text: "insert into read_models.window_requests (shard, account_id, hours) values ($1, $2, 24)",
      },
      [shard, accountId],
    );
  await database.query({ name: "forget", text: "delete from read_models.window_requests" }, []);
  const before = await changes();
  await request();
  assert.ok(await Effect.runPromise(projection.upkeep));
  assert.is(await changes(), before + 1);
  await request();
  assert.ok(await Effect.runPromise(projection.upkeep));
  assert.is(await changes(), before + 2);
});

test("a window that is so old that none of its events still count is built again", async () => {
  const { database } = migrated;
  const log = makeEventLog(database, TEST_SHARDS);
  const projection = makeProjection(database);
  const summaries = makeSummaries(database, TEST_SHARDS, { correctedMax: 0 });
  const accountId = "forgotten";
  const shard = shardOf(accountId, TEST_SHARDS);
  const now = Date.now();
  const range = { from: now - DAY_MS, to: now };
  const events = [anEvent({ accountId, occurredAt: now - 60_000 })];
  await Effect.runPromise(log.append(shard, events));
  while ((await Effect.runPromise(projection.step(shard, 1_000))).projected > 0);
  const insert = (table: string, columns: string, values: string) =>
    database.query(
      {
        name: `plant_${table}`,
        text: `insert into read_models.${table} (shard, account_id, hours, ${columns}) values ($1, $2, 24, ${values})`,
      },
      [shard, accountId],
    );
  await insert(
    "windows",
    "counted_from, counted_to",
    "now() - '9 days'::interval, now() - '8 days'::interval",
  );
  await insert("window_types", "type, events", "'login', 7");
  await insert("window_users", "user_id, events", "'ada', 7");
  await insert("window_requests", "requested_at", "now()");
  while (await Effect.runPromise(projection.upkeep));
  const summary = await Effect.runPromise(summaries.summary(accountId, range, 10));
  assert.equal(counted(summary), counted(summarise(events, range, 10)));
});

test("a skipped poison event counts in summaries, also in those from windows", async () => {
  const { database } = migrated;
  const log = makeEventLog(database, TEST_SHARDS);
  const projection = makeProjection(database);
  const summaries = makeSummaries(database, TEST_SHARDS, { correctedMax: 0 });
  const accountId = "poisoned";
  const shard = shardOf(accountId, TEST_SHARDS);
  const now = Date.now();
  const range = { from: now - DAY_MS, to: now };
  const [first, late] = [1, 2].map((n) =>
    anEvent({ accountId, eventId: `${n}`, occurredAt: now - n * 60_000 }),
  );
  assert.ok(first && late);
  await database.query({ name: "forget", text: "delete from read_models.window_requests" }, []);
  await Effect.runPromise(log.append(shard, [first]));
  while ((await Effect.runPromise(projection.step(shard, 1_000))).projected > 0);
  await Effect.runPromise(summaries.summary(accountId, range, 10));
  while (await Effect.runPromise(projection.upkeep));

  await Effect.runPromise(log.append(shard, [late]));
  const checkpoints = await Effect.runPromise(projection.checkpoints);
  const next = (checkpoints.find((each) => each.shard === shard)?.position ?? 0) + 1;
  const skipped = await Effect.runPromise(projection.skip(shard, next, "a test says so"));
  assert.equal([skipped.projected, skipped.checkpoint, skipped.accounts], [1, next, [accountId]]);
  for (let time = 0; time < 2; time++) {
    const summary = await Effect.runPromise(summaries.summary(accountId, range, 10));
    assert.equal(counted(summary), counted(summarise([first, late], range, 10)));
    while (await Effect.runPromise(projection.upkeep));
  }
});

/** Waits until another session waits for a lock of this one. */
const untilWaiting = async (holder: pg.Client): Promise<void> => {
  for (;;) {
    const { rows } = await holder.query(
      "select from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))",
    );
    if (rows.length > 0) return;
  }
};

test.run();
