import { Context, Effect } from "effect";

import { makeEventLog } from "../../adapters/postgres/event_log.ts";
import { createPool, type Database, databaseOf } from "../../adapters/postgres/pool.ts";
import { makeProjection } from "../../adapters/postgres/projection.ts";
import { requestWindows, WINDOW_HOURS } from "../../adapters/postgres/request_windows.ts";
import { makeRetrying } from "../../adapters/postgres/retry.ts";
import { sqlFile } from "../../adapters/postgres/sql_file.ts";
import type { Event } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";
import {
  type AppendRefused,
  EventLog,
  type LogUnavailable,
  type ShardBusy,
} from "../../core/log/event_log.ts";
import { Projection, type ProjectionUnavailable } from "../../core/projection/projection.ts";
import { messageOf } from "../../db/errors.ts";
import { generateActivity, WHALE } from "../ingest/activity.ts";
import { busyTimes } from "../ingest/busy_times.ts";
import { appendBatches, APPENDS_AT_ONCE, type Tally } from "./append_batches.ts";
import { batchesOf } from "./batches.ts";
import { foldBeside } from "./fold_beside.ts";
import { nameOf, type SeedOptions } from "./options.ts";
import { prepareDatabase } from "./prepare_database.ts";

/** The events of one append: more cost no less by the event, and hold their shard for longer. */
const BATCH_EVENTS = 5_000;

/** How long counting a whale's events may take. */
const WINDOW_WITHIN_MS = 3_600_000;

const DAY_MS = 86_400_000;

/** How far a run is. */
export interface SeedState {
  readonly tally: Tally;
  /** Events of the log that are not in the read models yet, those of others included. */
  readonly lag: number;
}

export interface SeedRun {
  readonly url: string;
  /** How many shards a log gets that is new. */
  readonly shards: number;
  readonly options: SeedOptions;
  /** Ends the run early: what is under way is finished, and counted. */
  readonly signal: AbortSignal;
  /** Is told how far it is after each append and each look at the read models. */
  readonly onState: (state: SeedState) => void;
}

/**
 * Appends the events of a seed to the log of a database and folds them into the read models.
 *
 * @throws when the database is away, full, or not of this version
 */
export const runSeed = async (run: SeedRun): Promise<void> => {
  const connection = {
    url: run.url,
    connectTimeoutMs: 10_000,
    // What runs on the connection fails by itself.
    onIdleError: () => {},
  };
  const pool = createPool({
    ...connection,
    // One more for the read models.
    connectionsMax: APPENDS_AT_ONCE + 1,
    statementTimeoutMs: 120_000,
  });
  const buildPool = createPool({
    ...connection,
    connectionsMax: 1,
    statementTimeoutMs: WINDOW_WITHIN_MS,
  });
  try {
    const database = databaseOf(pool, makeRetrying());
    const shards = await prepareDatabase(run.url, database, run.shards);
    const stations = Context.empty().pipe(
      Context.add(EventLog, makeEventLog(database, shards)),
      Context.add(Projection, makeProjection(database, { patient: databaseOf(buildPool) })),
    );
    const seeding = Effect.mapError(seed(run, database, shards), explain);
    await Effect.runPromise(Effect.provideContext(seeding, stations));
  } finally {
    await Promise.all([pool.close(), buildPool.close()]);
  }
};

const explain = (
  error: LogUnavailable | ShardBusy | AppendRefused | ProjectionUnavailable,
): Error =>
  error._tag === "ShardBusy"
    ? new Error(`Shard ${error.shard} of the log is held by somebody else`)
    : new Error(`${error._tag}: ${messageOf(error.cause)}`, { cause: error.cause });

const seed = Effect.fnUntraced(function* (run: SeedRun, database: Database, shards: number) {
  const { options, signal, onState } = run;
  let state: SeedState = { tally: { appended: 0, duplicates: 0, conflicts: 0 }, lag: 0 };
  const onAppended = (more: Tally): void => {
    const { appended, duplicates, conflicts } = state.tally;
    const tally = {
      appended: appended + more.appended,
      duplicates: duplicates + more.duplicates,
      conflicts: conflicts + more.conflicts,
    };
    onState((state = { ...state, tally }));
  };

  const from = yield* appendFirst(run, database, shards, onAppended);
  const others = eventsOf(options, from).drop(1);
  const batches = batchesOf(others, shards, BATCH_EVENTS, () => signal.aborted);

  let filled = false;
  const fill = Effect.ensuring(
    appendBatches(batches, onAppended),
    Effect.sync(() => {
      filled = true;
    }),
  );
  const fold = foldBeside(
    () => filled,
    (lag) => {
      onState((state = { ...state, lag }));
    },
  );
  yield* Effect.all([fill, fold], { concurrency: "unbounded", discard: true });
  if (options.whale > 0 && !signal.aborted) yield* readyWindows(database, WHALE, shards);
});

/** So that its first summary is as quick as the others. */
const readyWindows = Effect.fnUntraced(function* (
  database: Database,
  accountId: string,
  shards: number,
) {
  yield* Effect.promise(() =>
    requestWindows(database, shardOf(accountId, shards), accountId, WINDOW_HOURS),
  );
  const projection = yield* Projection;
  while (yield* projection.upkeep);
});

/**
 * Appends the first event alone and returns when it happened as the log has it: an earlier run of the same
 * seed may have been at another time, and all its events have to be the same again.
 */
const appendFirst = Effect.fnUntraced(function* (
  { options }: SeedRun,
  database: Database,
  shards: number,
  onAppended: (tally: Tally) => void,
) {
  const [first] = eventsOf(options, Date.now() - options.days * DAY_MS);
  if (first === undefined) return yield* Effect.die(new Error("a seed of no events"));
  const { accountId, eventId, occurredAt } = first;
  const shard = shardOf(accountId, shards);
  yield* appendBatches([{ shard, events: [first] }].values(), ({ appended }) => {
    onAppended({ appended, duplicates: 1 - appended, conflicts: 0 });
  });
  const [known] = yield* Effect.promise(() =>
    database.query<{ readonly occurredAt: number }>(OCCURRED_AT, [shard, eventId, accountId]),
  );
  return known?.occurredAt ?? occurredAt;
});

const OCCURRED_AT = sqlFile(new URL("occurred_at.sql", import.meta.url));

/** The events of a seed, the first one at `from`, in milliseconds since the Unix epoch. */
export const eventsOf = (options: SeedOptions, from: number): Generator<Event> =>
  generateActivity({
    ...options,
    events: options.events + options.whale,
    timeAt: busyTimes(from, from + options.days * DAY_MS),
    name: nameOf(options),
  });
