import { Clock, Effect } from "effect";

import type { Summaries } from "../../core/summary/summaries.ts";
import { summarise } from "../../core/summary/summary.ts";
import { foldedOf, type MemoryStore } from "./store.ts";

/** Summaries in memory: the definition itself, over the events up to the checkpoint. */
export const makeMemorySummaries = (store: MemoryStore): Summaries["Service"] => ({
  summary: (accountId, range, top) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const { events, ...state } = foldedOf(store, accountId, now);
      return { ...summarise(events, range, top), ...state };
    }),

  sampleAccounts: (limit, prefix) =>
    Effect.sync(() => {
      const accounts = store.shards.flatMap(({ events, checkpoint }) =>
        events.slice(0, checkpoint).map((event) => event.accountId),
      );
      const ours = accounts.filter((accountId) => accountId.startsWith(prefix));
      return [...new Set(ours)].slice(0, limit);
    }),
});
