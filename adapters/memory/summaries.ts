import { Clock, Effect } from "effect";

import { shardOf } from "../../core/event/shard.ts";
import type { Summaries } from "../../core/summary/summaries.ts";
import { summarise } from "../../core/summary/summary.ts";
import { type MemoryStore, shardIn } from "./store.ts";

/** Summaries in memory: the definition itself, over the events up to the checkpoint. */
export const makeMemorySummaries = (store: MemoryStore): Summaries["Service"] => ({
  summary: (accountId, range, top) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const shard = shardIn(store, shardOf(accountId, store.shards.length));
      const events = shard.events
        .slice(0, shard.checkpoint)
        .filter((event) => event.accountId === accountId);
      const asOf = shard.events[shard.checkpoint]?.recordedAt ?? now;
      return { ...summarise(events, range, top), asOf };
    }),

  sampleAccounts: (limit) =>
    Effect.sync(() => {
      const accounts = store.shards.flatMap(({ events, checkpoint }) =>
        events.slice(0, checkpoint).map((event) => event.accountId),
      );
      return [...new Set(accounts)].slice(0, limit);
    }),
});
