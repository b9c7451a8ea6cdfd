import { Effect } from "effect";
import type pg from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { collapse } from "../../core/event/batch.ts";
import { anEvent } from "../../core/event/event.fixture.ts";
import { shardOf } from "../../core/event/shard.ts";
import { type Building, Generations } from "../../core/projection/generations.ts";
import { fold, NO_ROWS, READ_MODELS } from "../../core/projection/read_models.ts";
import { EventPoisoned, rebuild } from "../../core/projection/rebuild.ts";
import { type SummaryCounts, summarise } from "../../core/summary/summary.ts";
import {
  createMigratedDatabase,
  type MigratedDatabase,
  TEST_SHARDS,
} from "../../scripts/test/migrated_database.ts";
import { makeEventLog } from "./event_log.ts";
import { makeGenerations } from "./generations.ts";
import { openBuilderPool } from "./pool.ts";
import { createPool, type Database, databaseOf, READ_SESSION } from "./pool.ts";
import { makeProjection } from "./projection.ts";
import { readRows } from "./read_rows.fixture.ts";
import type { SessionSettings } from "./session.ts";
import { makeSummaries } from "./summaries.ts";

interface Context {
  readonly migrated: MigratedDatabase;
  readonly pool: pg.Pool;
  readonly generations: Generations["Service"];
  /** Opens a session that ends with the test. */
  readonly connect: (settings?: SessionSettings) => pg.Pool;
  readonly sessions: pg.Pool[];
}

const test = suite<Context>("a generation that is built in Postgres");

test.before.each(async (context) => {
  const migrated = await createMigratedDatabase();
  const pool = openBuilderPool(migrated.url, 2);
  const sessions: pg.Pool[] = [];
  const connect = (session: SessionSettings = {}): pg.Pool => {
    const opened = createPool({
      url: migrated.url,
      connectionsMax: 1,
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 20_000,
      onIdleError: () => {},
      session,
    });
    sessions.push(opened);
    return opened;
  };
  Object.assign(context, { migrated, pool, generations: makeGenerations(pool), connect, sessions });
});
test.after.each(async ({ migrated, pool, sessions }) => {
  await Promise.all(sessions.map((session) => session.end()));
  await pool.end();
  await migrated.close();
});

const ACCOUNT = "acme";
const SHARD = shardOf(ACCOUNT, TEST_SHARDS);
const DAY_MS = 86_400_000;

const run = Effect.runPromise;
const query = (database: Database, text: string, values: ReadonlyArray<unknown> = []) =>
  database.query({ name: "", text }, values);

const rebuildOn = (generations: Generations["Service"]) =>
  rebuild({ acceptDifferences: false, shardsAtOnce: 2, report: () => {} }).pipe(
    Effect.provideService(Generations, generations),
  );
const whileBuilding = <A>(
  generations: Generations["Service"],
  use: (building: Building) => Promise<A>,
) =>
  run(
    Effect.scoped(
      Effect.flatMap(generations.build, (building) => Effect.promise(() => use(building))),
    ),
  );

/** Logins of the account, one a minute before now, the last of them the latest. */
const loginsOf = (events: number, now: number, from = 0) =>
  Array.from({ length: events }, (_, i) =>
    anEvent({
      accountId: ACCOUNT,
      eventId: `${from + i}`,
      userId: `user-${i % 7}`,
      occurredAt: now - (events - i) * 60_000,
    }),
  );
const append = (database: Database, events: ReadonlyArray<ReturnType<typeof anEvent>>) =>
  run(makeEventLog(database, TEST_SHARDS).append(SHARD, collapse(events).events));
const project = (database: Database) =>
  run(makeProjection(database).step(SHARD, Number.MAX_SAFE_INTEGER));

const counted = ({ totals, topUsers }: SummaryCounts) => ({
  totals: Object.fromEntries(totals),
  topUsers,
});

test("a session from before a flip continues on the new tables, with the same statements", async ({
  migrated,
  generations,
  connect,
}) => {
  const { database } = migrated;
  const now = Date.now();
  await append(database, loginsOf(20, now));
  // One session each, as in a pool, with prepared statements and cached plans.
  const writes = databaseOf(connect());
  const reads = databaseOf(connect(READ_SESSION));
  const projection = makeProjection(writes);
  const summaries = makeSummaries(reads, TEST_SHARDS, { correctedMax: 0 });
  const range = { from: now - DAY_MS, to: now };
  const read = () => run(summaries.summary(ACCOUNT, range, 3));
  for (let i = 0; i < 7; i++) {
    await run(projection.step(SHARD, 2));
    await read();
    await run(projection.upkeep);
  }
  const { generation } = await run(rebuildOn(generations));
  await query(database, "drop schema read_models_1 cascade");

  await append(database, loginsOf(1, now, 1_000));
  assert.is((await run(projection.step(SHARD, 10))).projected, 1);
  const summary = await read();
  assert.equal([summary.generation, summary.checkpoint], [generation, 21]);
  assert.equal(Object.fromEntries(summary.totals), { login: 21 });
  while (await run(projection.upkeep));
  assert.equal(counted(await read()), counted(summary));
  assert.is((await run(projection.skip(SHARD, 22, "none"))).projected, 0);
  const [checkpoint] = await run(projection.checkpoints);
  assert.is(checkpoint?.generation, generation);
});

test("windows are counted before the flip, as far as the generation is folded, and late events are added to them", async ({
  migrated,
  generations,
}) => {
  const { database } = migrated;
  const now = Date.now();
  const events = loginsOf(2_000, now);
  await append(database, events);
  await project(database);
  const summaries = makeSummaries(database, TEST_SHARDS, { correctedMax: 10 });
  const range = { from: now - DAY_MS, to: now };
  await run(summaries.summary(ACCOUNT, range, 5));
  while (await run(makeProjection(database).upkeep));

  await whileBuilding(generations, async (building) => {
    await run(building.fold(SHARD, 1_500));
    assert.is(await run(building.prepare), true);
    assert.is(await run(building.prepare), false);
    // Late for the window, which exists already.
    while ((await run(building.fold(SHARD, 400))) > 0);
    await run(building.flip);
  });
  const windows = await query(
    database,
    `select
      (select sum(u.events) from read_models.window_users u where u.hours = w.hours)::int as counted,
      (select count(*) from tidemark.events e
        where e.occurred_at >= w.counted_from and e.occurred_at < w.counted_to)::int as held
    from read_models.windows w where w.hours = 24`,
  );
  assert.is(windows[0]?.["counted"], windows[0]?.["held"]);
  assert.ok(Number(windows[0]?.["counted"]) > 1_400);
  const summary = await run(summaries.summary(ACCOUNT, range, 5));
  assert.equal(counted(summary), counted(summarise(events, range, 5)));
});

test("readers, writers and projectors continue through several flips, and no count is wrong", async ({
  migrated,
  generations,
}) => {
  const { database } = migrated;
  const projection = makeProjection(database);
  const summaries = makeSummaries(database, TEST_SHARDS, { correctedMax: 20 });
  const now = Date.now();
  const range = { from: now - DAY_MS, to: now };
  const over = new AbortController();
  let appended = 0;
  let checkpoint = 0;
  const seen = new Set<number>();
  const write = async () => {
    while (!over.signal.aborted) {
      await append(database, loginsOf(20, now, appended));
      appended += 20;
    }
  };
  const step = async () => {
    while (!over.signal.aborted) {
      await run(projection.step(SHARD, 50));
      await run(projection.upkeep);
    }
  };
  const read = async () => {
    while (!over.signal.aborted) {
      const summary = await run(summaries.summary(ACCOUNT, range, 3));
      // All events are in the range: the count is the number of folded events.
      assert.is(summary.totals.get("login") ?? 0, summary.checkpoint);
      const users = summary.topUsers.map(({ events }) => events);
      assert.ok(users.reduce((a, b) => a + b, 0) <= summary.checkpoint);
      assert.ok(summary.checkpoint >= checkpoint, "a summary knows less than the one before it");
      checkpoint = summary.checkpoint;
      seen.add(summary.generation);
    }
  };
  const rebuildAgain = async () => {
    try {
      for (let i = 0; i < 4; i++) {
        const { generation, differences } = await run(rebuildOn(generations));
        assert.equal(differences, []);
        await run(generations.drop(generation - 1));
      }
    } finally {
      over.abort();
    }
  };
  await Promise.all([write(), step(), step(), read(), rebuildAgain()]);
  assert.ok(seen.size >= 3, `only generations ${[...seen].join(", ")} were read`);
  while ((await project(database)).projected > 0);
  const events = await run(makeEventLog(database, TEST_SHARDS).read(SHARD, 0, appended));
  assert.is(events.length, appended);
  for (const model of READ_MODELS) {
    const expected = [...fold(model, NO_ROWS, events).values()];
    const rows = await readRows(database, model, SHARD);
    const sorted = (all: typeof rows) => all.map((row) => JSON.stringify(row)).toSorted();
    assert.equal(sorted(rows), sorted(expected));
  }
});

test("an event that the live projector skipped stops a rebuild until it can be folded, and then counts", async ({
  migrated,
  generations,
}) => {
  const { database } = migrated;
  await append(database, loginsOf(9, Date.now()));
  await query(
    database,
    "alter table read_models.activity_by_type add constraint refuses check (hour < '2000-01-01') not valid",
  );
  for (let position = 1; position <= 9; position++) {
    await run(makeProjection(database).skip(SHARD, position, "refused"));
  }
  const error = await run(Effect.flip(rebuildOn(generations)));
  if (!(error instanceof EventPoisoned)) throw error;
  assert.equal([error.shard, error.position], [SHARD, 1]);

  await query(database, "alter table read_models_2.activity_by_type drop constraint refuses");
  assert.equal((await run(rebuildOn(generations))).differences, []);
  const [row] = await query(
    database,
    "select sum(events)::int as events from read_models.activity_by_type",
  );
  assert.is(row?.["events"], 9);
});

test("a flip neither waits for long reads nor makes others wait for them", async ({
  migrated,
  generations,
  connect,
}) => {
  const { database } = migrated;
  const reader = connect();
  await reader.query("begin; select from read_models.checkpoints");
  await whileBuilding(generations, async (building) => {
    const since = performance.now();
    const [delayed] = await Promise.all([
      run(Effect.flip(building.flip)),
      run(makeProjection(database).checkpoints),
    ]);
    assert.is(delayed._tag, "FlipDelayed");
    assert.ok(performance.now() - since < 2_000);
    await reader.query("commit");
    await run(building.flip);
  });
});

test("dropping a generation locks its checkpoints first, like a plan from before the flip, so that they cannot deadlock", async ({
  migrated,
  generations,
  connect,
}) => {
  const { database } = migrated;
  await append(database, loginsOf(1, Date.now()));
  const { generation } = await run(rebuildOn(generations));
  // By default Postgres locks the tables of a schema in the order of their creation.
  await query(database, "alter table read_models_1.checkpoints set schema public");
  await query(database, "alter table public.checkpoints set schema read_models_1");
  const late = connect();
  await late.query("begin; select from read_models_1.checkpoints");
  const dropped = run(generations.drop(generation - 1));
  try {
    const waits = `
      select json_object_agg(relation::regclass::text, mode) as locks from pg_locks
      where database = (select oid from pg_database where datname = current_database())
        and relation::regclass::text like 'read\\_models\\_1.%'
        and pid in (select pid from pg_locks where not granted)`;
    const waiting = { "read_models_1.checkpoints": "AccessExclusiveLock" };
    const locks = async () => (await query(database, waits))[0]?.["locks"];
    while ((await locks()) === null);
    assert.equal(await locks(), waiting);
  } finally {
    await late.query("commit");
  }
  assert.is(await dropped, "dropped");
});

test("the next generation has the indexes, settings, grants and owner of the live one", async ({
  migrated,
  generations,
}) => {
  const { database } = migrated;
  const role = `reader_${Date.now()}`;
  await query(database, `create role ${role}`);
  await query(database, `grant usage on schema read_models to ${role}`);
  await query(database, `grant select on read_models.activity_by_type to ${role}`);
  const shape = async (schema: string) => {
    const [row] = await query(
      database,
      `select
        (select json_agg(json_build_array(indexname, indexdef) order by indexname) from pg_indexes where schemaname = $1) as indexes,
        (select json_agg(json_build_array(relname, reloptions, relacl::text, relowner) order by relname)
          from pg_class where relnamespace = n.oid and relkind = 'r') as tables,
        nspacl::text as acl, nspowner::text as owner
      from pg_namespace n where nspname = $1`,
      [schema],
    );
    return JSON.stringify(row).replaceAll(`${schema}.`, "schema.");
  };
  const before = await shape("read_models");
  try {
    for (let i = 0; i < 2; i++) {
      await run(rebuildOn(generations));
      assert.is(await shape("read_models"), before);
    }
  } finally {
    await query(database, `drop owned by ${role}`);
    await query(database, `drop role ${role}`);
  }
});

test.run();
