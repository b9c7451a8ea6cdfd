import { Context, type Effect } from "effect";

import type { ReadRefused } from "../fair/client_semaphore.ts";
import type { Interval, Range } from "./range.ts";
import type { SummariesUnavailable } from "./summaries.ts";
import type { BucketCount } from "./timeseries.ts";

/** Which counts of an account to read. */
export interface ActivityRequest {
  readonly range: Range;
  readonly interval: Interval;
  /** Only events of this type; null for all. */
  readonly type: string | null;
  /** The most counts to return. A result of this length may be incomplete. */
  readonly countsMax: number;
}

export interface ActivityCounts {
  /** In any order. Only buckets and types with events. */
  readonly counts: ReadonlyArray<BucketCount>;
  /** All events recorded before this instant are counted, in milliseconds since the Unix epoch. */
  readonly asOf: number;
}

/** Reads the activity of an account over time. */
export class Activity extends Context.Service<
  Activity,
  {
    /**
     * The counts of an account by bucket and type, exactly as `countByBucket` defines them, as of the
     * projection's checkpoint. An unknown account has none.
     */
    readonly counts: (
      accountId: string,
      request: ActivityRequest,
    ) => Effect.Effect<ActivityCounts, SummariesUnavailable | ReadRefused>;
  }
>()("tidemark/summary/Activity") {}
