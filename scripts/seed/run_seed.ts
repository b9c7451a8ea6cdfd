import { Context, Effect } from "effect";

import { makeEventLog } from "../../adapters/postgres/event_log.ts";
import {
  createPool,
  type Database,
  databaseOf,
  type Statement,
} from "../../adapters/postgres/pool.ts";
import { makeProjection } from "../../adapters/postgres/projection.ts";
import { makeRetrying } from "../../adapters/postgres/retry.ts";
import { requestWindows, WINDOW_HOURS } from "../../adapters/postgres/summaries.ts";
import type { Event } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";
import {
  type AppendRefused,
  EventLog,
  type LogUnavailable,
  type ShardBusy,
} from "../../core/log/event_log.ts";
import { messageOf } from "../../core/printable.ts";
import { Projection, type ProjectionUnavailable } from "../../core/projection/projection.ts";
import { DAY_MS, HOUR_MS } from "../../core/time.ts";
import { busyTimes, generateActivity, WHALE } from "../shared/activity.ts";
import { appendBatches, APPENDS_AT_ONCE, batchesOf, type Tally } from "./append_batches.ts";
import { foldBeside } from "./fold_beside.ts";
import { nameOf, type SeedOptions } from "./options.ts";
import { prepareDatabase } from "./prepare_database.ts";

/** The events of an append. Larger batches are not cheaper, and hold the shard for longer. */
const BATCH_EVENTS = 5_000;

/** The timeout for counting a whale's events. */
const WINDOW_WITHIN_MS = HOUR_MS;

/** The progress of a run. */
export interface SeedState {
  readonly tally: Tally;
  /** Events of the log that are not in the read models yet, including those of other processes. */
  readonly lag: number;
}

export interface SeedRun {
  readonly url: string;
  readonly options: SeedOptions;
  /** Ends the run early: current appends finish, and their events are counted. */
  readonly signal: AbortSignal;
  /** Receives the progress after each append and each poll of the read models. */
  readonly onState: (state: SeedState) => void;
}

/**
 * Appends the events of a seed to the log of a database and folds them into the read models.
 *
 * @throws if the database is unavailable, full, or has another schema version
 */
export const runSeed = async (run: SeedRun): Promise<void> => {
  const connection = {
    url: run.url,
    connectTimeoutMs: 10_000,
    // The next query fails and reports it.
    onIdleError: () => {},
  };
  const pool = createPool({
    ...connection,
    // The read models need one.
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
    const shards = await prepareDatabase(run.url);
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
    ? new Error(
        `Another process holds shard ${error.shard} of the log. Run the command again when it is free.`,
      )
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
  if (options.whale > 0 && !signal.aborted) yield* prepareWindows(database, WHALE, shards);
});

/** Prepares the windows of an account, so that its first summary is as fast as later ones. */
const prepareWindows = Effect.fnUntraced(function* (
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
 * Appends the first event, and returns its time in the log. An earlier run of the same seed may
 * have used another time, and all events have to be the same again.
 */
const appendFirst = Effect.fnUntraced(function* (
  { options }: SeedRun,
  database: Database,
  shards: number,
  onAppended: (tally: Tally) => void,
) {
  const [first] = eventsOf(options, Date.now() - options.days * DAY_MS);
  if (first === undefined) return yield* Effect.die(new Error("A seed has at least one event"));
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

/** The time of an event in Unix milliseconds, by $1 shard, $2 event_id and $3 account_id. */
const OCCURRED_AT: Statement = {
  name: "occurred_at",
  text: `select (extract(epoch from occurred_at) * 1000)::float8 as "occurredAt" from tidemark.events
where shard = $1 and event_id = $2 and account_id = $3`,
};

/** The events of a seed. The first one is at `from`, in milliseconds since the Unix epoch. */
export const eventsOf = (options: SeedOptions, from: number): Generator<Event> =>
  generateActivity({
    ...options,
    events: options.events + options.whale,
    timeAt: busyTimes(from, from + options.days * DAY_MS),
    name: nameOf(options),
  });
