import { DAY_MS, HOUR_MS, hourOf } from "../time.ts";

/** A half-open range of time, `from ≤ t < to`, in milliseconds since the Unix epoch. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** The longest range that a client may ask for. */
export const RANGE_DAYS_MAX = 400;
export const RANGE_MS_MAX = RANGE_DAYS_MAX * DAY_MS;

const WINDOWS = { last_24h: DAY_MS, last_7d: 7 * DAY_MS } as const;

/** A rolling window: a range that ends now, named by its length. */
export type WindowName = keyof typeof WINDOWS;

export const WINDOW_NAMES = Object.keys(WINDOWS) as ReadonlyArray<WindowName>;

/** The range of a window at `now`: `last_24h` is `[now - 24 h, now)`, to the millisecond. */
export const rangeOf = (window: WindowName, now: number): Range => ({
  from: now - WINDOWS[window],
  to: now,
});

/** A range split into its whole hours and the parts before and after them. */
export interface HourCut {
  readonly head: Range;
  readonly hours: Range;
  readonly tail: Range;
}

/**
 * Splits a range so that hourly rows cover `hours`, and single events cover `head` and `tail`. The three
 * are disjoint, in order, and together the range. Each may be empty.
 */
export const cutAtHours = (range: Range): HourCut => {
  const firstFull = hourOf(range.from + HOUR_MS - 1);
  const lastFull = hourOf(range.to);
  if (firstFull >= lastFull) {
    // No whole hour fits.
    const end = { from: range.to, to: range.to };
    return { head: range, hours: end, tail: end };
  }
  return {
    head: { from: range.from, to: firstFull },
    hours: { from: firstFull, to: lastFull },
    tail: { from: lastFull, to: range.to },
  };
};

const INTERVALS = { hour: HOUR_MS, day: DAY_MS } as const;

/** The length of the buckets of a time series. They start on the full hour or at midnight, in UTC. */
export type Interval = keyof typeof INTERVALS;

export const INTERVAL_NAMES = Object.keys(INTERVALS) as ReadonlyArray<Interval>;

/** The start of the bucket that contains an instant, both in milliseconds since the Unix epoch. */
export const bucketOf = (ms: number, interval: Interval): number =>
  Math.floor(ms / INTERVALS[interval]) * INTERVALS[interval];

/** The starts of the buckets that a range touches, in order. The first and the last may be partial. */
export const bucketsOf = (range: Range, interval: Interval): ReadonlyArray<number> => {
  const first = bucketOf(range.from, interval);
  return Array.from(
    { length: bucketCount(range, interval) },
    (_, i) => first + i * INTERVALS[interval],
  );
};

/** How many buckets a range touches. */
export const bucketCount = ({ from, to }: Range, interval: Interval): number =>
  from >= to
    ? 0
    : (bucketOf(to - 1, interval) - bucketOf(from, interval)) / INTERVALS[interval] + 1;
