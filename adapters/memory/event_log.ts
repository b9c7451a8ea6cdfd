import { Clock, Effect } from "effect";

import { identityOf } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";
import { present } from "../../core/invariant.ts";
import { type AccountEvents, pageOf } from "../../core/log/account_events.ts";
import type { EventLog } from "../../core/log/event_log.ts";
import { foldedEventsOf, type MemoryStore, shardIn } from "./store.ts";

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
        const known = target.identities.get(identity);
        if (known === undefined) {
          target.identities.set(identity, target.events.length);
          target.events.push({ ...event, shard, position: target.events.length + 1, recordedAt });
          return;
        }
        const first = present(target.events[known], `no event at index ${known} of shard ${shard}`);
        (first.fingerprint === event.fingerprint ? duplicates : conflicts).push(index);
      });
      return { duplicates, conflicts };
    }),

  heads: Effect.sync(() =>
    store.shards.map(({ events }, shard) => ({ shard, position: events.length })),
  ),

  read: (shard, after, limit) =>
    Effect.sync(() => shardIn(store, shard).events.slice(after, after + limit)),
});

/** The events of accounts in memory, straight from their definition. */
export const makeMemoryAccountEvents = (store: MemoryStore): AccountEvents["Service"] => ({
  page: (accountId, request) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const shard = shardIn(store, shardOf(accountId, store.shards.length));
      const events = shard.events.filter((event) => event.accountId === accountId);
      return {
        ...pageOf(events, shard.checkpoint, request),
        upTo: Math.min(shard.checkpoint, request.upTo ?? shard.checkpoint),
        asOf: foldedEventsOf(store, accountId, now).asOf,
      };
    }),
});
