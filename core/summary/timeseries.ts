import type { Event } from "../event/event.ts";
import { present } from "../invariant.ts";
import { bucketOf, bucketsOf, type Interval, type Range } from "./range.ts";

/** The number of events of one type in a bucket. */
export interface BucketCount {
  /** The start of the bucket, in milliseconds since the Unix epoch. */
  readonly start: number;
  readonly type: string;
  readonly events: number;
}

/** One bucket of a time series. */
export interface Point {
  readonly start: number;
  /** The number of events by type, zeros included. */
  readonly totals: ReadonlyMap<string, number>;
}

/**
 * The definition of a time series, without its zeros: counts the events of one account one by one. Every
 * faster implementation is tested against this.
 *
 * @param events of one account, each identity once, in any order
 * @param type counts only events of this type; null for all
 */
export const countByBucket = (
  events: ReadonlyArray<Pick<Event, "occurredAt" | "type">>,
  range: Range,
  interval: Interval,
  type: string | null,
): ReadonlyArray<BucketCount> => {
  const counts = new Map<string, BucketCount>();
  for (const event of events) {
    if (event.occurredAt < range.from || event.occurredAt >= range.to) continue;
    if (type !== null && event.type !== type) continue;
    const start = bucketOf(event.occurredAt, interval);
    const key = `${start} ${event.type}`;
    counts.set(key, { start, type: event.type, events: (counts.get(key)?.events ?? 0) + 1 });
  }
  return [...counts.values()];
};

/**
 * The points of a time series: every bucket of the range, in order, each with a count for every type that
 * occurs in any bucket, and for the type that was asked for.
 */
export const fillGaps = (
  counts: ReadonlyArray<BucketCount>,
  range: Range,
  interval: Interval,
  type: string | null,
): ReadonlyArray<Point> => {
  const occurring = new Set(counts.map((count) => count.type));
  if (type !== null) occurring.add(type);
  // Sorted, so that equal time series are equal texts.
  const types = [...occurring].toSorted();
  const points = new Map(
    bucketsOf(range, interval).map((start) => [start, new Map(types.map((name) => [name, 0]))]),
  );
  for (const { start, type: counted, events } of counts) {
    present(points.get(start), `bucket ${start} is outside the range`).set(counted, events);
  }
  return Array.from(points, ([start, totals]) => ({ start, totals }));
};
