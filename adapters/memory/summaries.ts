import { Clock, Effect } from "effect";

import type { Activity } from "../../core/summary/activity.ts";
import type { Summaries } from "../../core/summary/summaries.ts";
import { summarise } from "../../core/summary/summary.ts";
import { countByBucket } from "../../core/summary/timeseries.ts";
import { foldedEventsOf, type MemoryStore } from "./store.ts";

/** Summaries in memory, straight from their definition, over the events up to the checkpoint. */
export const makeMemorySummaries = (store: MemoryStore): Summaries["Service"] => ({
  summary: (accountId, range, top) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const { events, ...state } = foldedEventsOf(store, accountId, now);
      return { ...summarise(events, range, top), ...state };
    }),

  sampleAccounts: (limit, prefix) =>
    Effect.sync(() => {
      const accounts = store.shards.flatMap(({ events, checkpoint }) =>
        events.slice(0, checkpoint).map(({ accountId }) => accountId),
      );
      const matching = accounts.filter((accountId) => accountId.startsWith(prefix));
      return [...new Set(matching)].slice(0, limit);
    }),
});

/** The activity of accounts in memory, straight from its definition, up to the checkpoint. */
export const makeMemoryActivity = (store: MemoryStore): Activity["Service"] => ({
  counts: (accountId, { range, interval, type, countsMax }) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const { events, asOf } = foldedEventsOf(store, accountId, now);
      return { counts: countByBucket(events, range, interval, type).slice(0, countsMax), asOf };
    }),
});
