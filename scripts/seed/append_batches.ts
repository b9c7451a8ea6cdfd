import { Effect, Schedule, Semaphore } from "effect";

import type { Event } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";
import { EventLog } from "../../core/log/event_log.ts";

/** The events of one append. */
export interface ShardBatch {
  readonly shard: number;
  readonly events: ReadonlyArray<Event>;
}

/**
 * Groups events by shard. Yields a batch when a shard has `size` events, and the remaining events
 * of each shard at the end. Reads no more events once `isStopped` says so.
 */
export function* batchesOf(
  events: Iterable<Event>,
  shards: number,
  size: number,
  isStopped: () => boolean,
): Generator<ShardBatch> {
  const collected = Array.from({ length: shards }, (): Event[] => []);
  for (const event of events) {
    const shard = shardOf(event.accountId, shards);
    const batch = collected[shard];
    if (batch === undefined || batch.push(event) < size) continue;
    collected[shard] = [];
    yield { shard, events: batch };
    if (isStopped()) return;
  }
  for (const [shard, batch] of collected.entries()) {
    if (batch.length > 0 && !isStopped()) yield { shard, events: batch };
  }
}

/** The outcome of appended events. */
export interface Tally {
  readonly appended: number;
  readonly duplicates: number;
  readonly conflicts: number;
}

/** Concurrent appends: while some wait for the disk or their shard, others use the processor. */
export const APPENDS_AT_ONCE = 3;

/** A worker of a service holds a shard for a moment, and a stuck one for longer. */
const BUSY_RETRY = Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 60 }));

/**
 * Appends all batches.
 *
 * @errors as `EventLog.append`; `ShardBusy` only after retries
 */
export const appendBatches = Effect.fnUntraced(function* (
  batches: Iterator<ShardBatch>,
  onAppended: (tally: Tally) => void,
) {
  const log = yield* EventLog;
  // A batch that waits here for its shard does not occupy a connection.
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
