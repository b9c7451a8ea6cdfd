import { Clock, Data, Effect } from "effect";

import { Activity } from "../summary/activity.ts";
import { bucketCount, type Interval, type Range } from "../summary/range.ts";
import { fillGaps, type Point } from "../summary/timeseries.ts";
import { DAY_MS } from "../time.ts";
import { inSpan } from "../trace.ts";

/** The most points of a time series. */
export const POINTS_MAX = 1_000;

/** The most counts of a time series: points times types. They take about 2 MB as JSON. */
export const COUNTS_MAX = 100_000;

/** The default length of a time series. */
const DEFAULT_MS: Readonly<Record<Interval, number>> = { hour: DAY_MS, day: 30 * DAY_MS };

/** The account has too many types in the range for a count of each at every point. */
export class TimeseriesTooLarge extends Data.TaggedError("TimeseriesTooLarge")<{
  readonly points: number;
}> {}

export interface TimeseriesQuery {
  readonly interval: Interval;
  /** At most `POINTS_MAX` buckets; undefined for the last 24 hours by hour, or the last 30 days by day. */
  readonly range: Range | undefined;
  /** Counts only events of this type; null counts all. */
  readonly type: string | null;
}

/** The answer to "how did the activity of this account develop?" */
export interface AccountTimeseries {
  readonly accountId: string;
  readonly interval: Interval;
  readonly range: Range;
  readonly points: ReadonlyArray<Point>;
  /** All events recorded before this instant are counted, in milliseconds since the Unix epoch. */
  readonly asOf: number;
}

/**
 * The query for an account's time series. Its points add up to the totals of the summary of the same range.
 *
 * @errors `TimeseriesTooLarge`, `SummariesUnavailable`
 */
export const accountTimeseries = Effect.fnUntraced(function* (
  accountId: string,
  { interval, range: asked, type }: TimeseriesQuery,
) {
  const now = yield* Clock.currentTimeMillis;
  const range = asked ?? { from: now - DEFAULT_MS[interval], to: now };
  const activity = yield* Activity;
  const countsMax = COUNTS_MAX + 1;
  const { counts, asOf } = yield* activity.counts(accountId, { range, interval, type, countsMax });

  const points = bucketCount(range, interval);
  const types = new Set(counts.map((count) => count.type)).size;
  if (counts.length >= countsMax || types * points > COUNTS_MAX) {
    return yield* new TimeseriesTooLarge({ points });
  }
  const answer: AccountTimeseries = {
    accountId,
    interval,
    range,
    points: fillGaps(counts, range, interval, type),
    asOf,
  };
  return answer;
}, inSpan("query"));
