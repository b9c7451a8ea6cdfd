import { Clock, Effect } from "effect";

import { identityOf } from "../../core/event/event.ts";
import type { EventLog } from "../../core/log/event_log.ts";
import { type MemoryStore, shardIn } from "./store.ts";

/** The event log in memory. */
export const makeMemoryEventLog = (store: MemoryStore): EventLog["Service"] => ({
  shards: store.shards.length,

  append: (shard, events) =>
    Effect.map(Clock.currentTimeMillis, (recordedAt) => {
      const target = shardIn(store, shard);
      const duplicates: number[] = [];
      const conflicts: number[] = [];
      events.forEach((event, index) => {
        const identity = identityOf(event);
        const existing = target.identities.get(identity);
        if (existing === undefined) {
          target.identities.set(identity, target.events.length);
          target.events.push({ ...event, shard, position: target.events.length + 1, recordedAt });
        } else if (target.events[existing]?.fingerprint === event.fingerprint) {
          duplicates.push(index);
        } else {
          conflicts.push(index);
        }
      });
      return { duplicates, conflicts };
    }),

  heads: Effect.sync(() =>
    store.shards.map(({ events }, shard) => ({ shard, position: events.length })),
  ),

  read: (shard, after, limit) =>
    Effect.sync(() => shardIn(store, shard).events.slice(after, after + limit)),
});
