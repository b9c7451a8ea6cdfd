import { Clock, Effect } from "effect";

import { shardOf } from "../../core/event/shard.ts";
import { type AccountEvents, pageOf } from "../../core/log/account_events.ts";
import { foldedOf, type MemoryStore, shardIn } from "./store.ts";

/** The events of accounts in memory: the definition itself. */
export const makeMemoryAccountEvents = (store: MemoryStore): AccountEvents["Service"] => ({
  page: (accountId, request) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const shard = shardIn(store, shardOf(accountId, store.shards.length));
      const events = shard.events.filter((event) => event.accountId === accountId);
      return {
        ...pageOf(events, shard.checkpoint, request),
        upTo: Math.min(shard.checkpoint, request.upTo ?? shard.checkpoint),
        asOf: foldedOf(store, accountId, now).asOf,
      };
    }),
});
