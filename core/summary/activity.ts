import { Context, type Effect } from "effect";

import type { ReadRefused } from "../fair/client_semaphore.ts";
import type { Interval } from "./bucket.ts";
import type { SummariesUnavailable } from "./summaries.ts";
import type { BucketCount } from "./timeseries.ts";
import type { Range } from "./window.ts";

/** Which counts of an account are asked for. */
export interface ActivityRequest {
  readonly range: Range;
  readonly interval: Interval;
  /** Only events of this type, or null for all. */
  readonly type: string | null;
  /** How many counts to give at most: whoever gets so many may lack some. */
  readonly countsMax: number;
}

export interface ActivityCounts {
  /** In any order; only of buckets and types that have events. */
  readonly counts: ReadonlyArray<BucketCount>;
  /** Everything recorded before this instant is counted, in milliseconds since the Unix epoch. */
  readonly asOf: number;
}

/** Reads how the activity of an account went over time. */
export class Activity extends Context.Service<
  Activity,
  {
    /**
     * The counts of an account by bucket and type, exactly as `countByBucket` defines them, as of the
     * projector's checkpoint. An account never seen has none.
     */
    readonly counts: (
      accountId: string,
      request: ActivityRequest,
    ) => Effect.Effect<ActivityCounts, SummariesUnavailable | ReadRefused>;
  }
>()("tidemark/summary/Activity") {}
