import type { Range } from "./window.ts";

const INTERVALS = { hour: 3_600_000, day: 86_400_000 } as const;

/** How long the buckets of a time series are. They begin on the full hour or at midnight, in UTC. */
export type Interval = keyof typeof INTERVALS;

export const INTERVAL_NAMES = Object.keys(INTERVALS) as ReadonlyArray<Interval>;

/** Where the bucket begins that holds an instant, both in milliseconds since the Unix epoch. */
export const bucketOf = (ms: number, interval: Interval): number =>
  Math.floor(ms / INTERVALS[interval]) * INTERVALS[interval];

/** Where the buckets begin that a range touches, in order; the first and the last may be partial. */
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
