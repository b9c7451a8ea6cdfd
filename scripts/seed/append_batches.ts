import { Effect, Schedule, Semaphore } from "effect";

import { EventLog } from "../../core/log/event_log.ts";
import type { ShardBatch } from "./batches.ts";

/** What became of events. */
export interface Tally {
  readonly appended: number;
  readonly duplicates: number;
  readonly conflicts: number;
}

/**
 * How many appends are under way at once. Those of one shard take turns in the log anyway; while some wait
 * for the disk, others use the processor.
 */
export const APPENDS_AT_ONCE = 3;

/** A worker of a service may hold a shard for a moment, and somebody who is stuck for longer. */
const BUSY_RETRY = Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 60 }));

/**
 * Appends batch after batch until there are no more.
 *
 * @errors as `EventLog.append`, `ShardBusy` only after a minute
 */
export const appendBatches = Effect.fnUntraced(function* (
  batches: Iterator<ShardBatch>,
  onAppended: (tally: Tally) => void,
) {
  const log = yield* EventLog;
  // Waiting here costs no connection.
  const turns = Array.from({ length: log.shards }, () => Semaphore.makeUnsafe(1));

  const append = Effect.fnUntraced(function* ({ shard, events }: ShardBatch) {
    const { duplicates, conflicts } = yield* log
      .append(shard, events)
      .pipe(Effect.retry({ schedule: BUSY_RETRY, while: ({ _tag }) => _tag === "ShardBusy" }));
    onAppended({
      appended: events.length - duplicates.length - conflicts.length,
      duplicates: duplicates.length,
      conflicts: conflicts.length,
    });
  });

  const appendNext = Effect.gen(function* () {
    for (;;) {
      const next = batches.next();
      if (next.done === true) return;
      const turn = turns[next.value.shard];
      yield* turn === undefined ? append(next.value) : turn.withPermits(1)(append(next.value));
    }
  });

  yield* Effect.all(
    Array.from({ length: APPENDS_AT_ONCE }, () => appendNext),
    { concurrency: "unbounded", discard: true },
  );
});
