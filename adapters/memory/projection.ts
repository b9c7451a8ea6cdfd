import { Clock, Effect } from "effect";

import type { RecordedEvent } from "../../core/event/event.ts";
import { NOTHING_PROJECTED, type Projection, type Step } from "../../core/projection/projection.ts";
import { foldNext, type MemoryStore, shardIn } from "./store.ts";

/** The read models in memory, by the pure fold that defines them. */
export const makeMemoryProjection = (store: MemoryStore): Projection["Service"] => ({
  lagging: Effect.sync(() =>
    store.shards.flatMap((shard, i) => (shard.checkpoint < shard.events.length ? [i] : [])),
  ),

  step: (shard, limit) =>
    Effect.sync(() => {
      const target = shardIn(store, shard);
      const folded = foldNext(target, target, limit);
      return folded.length === 0 ? NOTHING_PROJECTED : stepOver(folded, target.checkpoint);
    }),

  skip: (shard, position, reason) =>
    Effect.sync(() => {
      const target = shardIn(store, shard);
      if (target.checkpoint !== position - 1 || position > target.events.length) {
        return NOTHING_PROJECTED;
      }
      target.checkpoint = position;
      target.poisoned.set(position, reason);
      return stepOver(target.events.slice(position - 1, position), position);
    }),

  upkeep: Effect.succeed(false),

  checkpoints: Effect.sync(() =>
    store.shards.map(({ checkpoint }, shard) => ({
      shard,
      position: checkpoint,
      generation: store.generation,
    })),
  ),

  lag: Effect.map(Clock.currentTimeMillis, (now) =>
    store.shards.map(({ events, checkpoint }, shard) => {
      const next = events[checkpoint];
      const seconds = next === undefined ? 0 : Math.max(0, now - next.recordedAt) / 1000;
      return { shard, head: events.length, checkpoint, seconds };
    }),
  ),
});

/** The result of the step that folded or skipped these events. */
export const stepOver = (events: ReadonlyArray<RecordedEvent>, checkpoint: number): Step => ({
  projected: events.length,
  checkpoint,
  accounts: [...new Set(events.map(({ accountId }) => accountId))],
  oldestRecordedAt: events.reduce(
    (oldest, { recordedAt }) => Math.min(oldest, recordedAt),
    Infinity,
  ),
});
