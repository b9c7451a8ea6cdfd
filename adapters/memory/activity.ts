import { Clock, Effect } from "effect";

import type { Activity } from "../../core/summary/activity.ts";
import { countByBucket } from "../../core/summary/timeseries.ts";
import { foldedOf, type MemoryStore } from "./store.ts";

/** The activity of accounts in memory: the definition itself, over the events up to the checkpoint. */
export const makeMemoryActivity = (store: MemoryStore): Activity["Service"] => ({
  counts: (accountId, { range, interval, type, countsMax }) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const { events, asOf } = foldedOf(store, accountId, now);
      return { counts: countByBucket(events, range, interval, type).slice(0, countsMax), asOf };
    }),
});
