import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { moment } from "../event/event.fixture.ts";
import { DAY_MS, HOUR_MS } from "../time.ts";
import {
  bucketCount,
  bucketOf,
  bucketsOf,
  cutAtHours,
  INTERVAL_NAMES,
  type Range,
  RANGE_DAYS_MAX,
  RANGE_MS_MAX,
  rangeOf,
  WINDOW_NAMES,
} from "./range.ts";

const test = suite("range");

test("there are two windows, of 24 hours and of 7 days", () => {
  assert.equal([...WINDOW_NAMES], ["last_24h", "last_7d"]);
  const now = Date.UTC(2026, 0, 31, 9, 30, 0, 123);
  assert.equal(rangeOf("last_24h", now), { from: Date.UTC(2026, 0, 30, 9, 30, 0, 123), to: now });
  assert.equal(rangeOf("last_7d", now), { from: Date.UTC(2026, 0, 24, 9, 30, 0, 123), to: now });
});

test("every window ends now and has the length in its name, to the millisecond", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Date.UTC(2100, 0) }), (now) => {
      for (const [name, hours] of [
        ["last_24h", 24],
        ["last_7d", 168],
      ] as const) {
        const { from, to } = rangeOf(name, now);
        assert.is(to, now);
        assert.is(to - from, hours * HOUR_MS);
      }
    }),
  );
});

test("every window is within the longest range", () => {
  assert.is(RANGE_MS_MAX, RANGE_DAYS_MAX * 24 * HOUR_MS);
  for (const name of WINDOW_NAMES) {
    const { from, to } = rangeOf(name, 0);
    assert.ok(to - from <= RANGE_MS_MAX);
  }
});

const at = (hour: number, minute = 0, ms = 0): number => Date.UTC(2026, 0, 31, hour, minute, 0, ms);
const lengthOf = ({ from, to }: Range): number => to - from;

test("a range with whole hours is split at their two ends", () => {
  assert.equal(cutAtHours({ from: at(9, 30), to: at(12, 15) }), {
    head: { from: at(9, 30), to: at(10) },
    hours: { from: at(10), to: at(12) },
    tail: { from: at(12), to: at(12, 15) },
  });
});

test("a range that starts and ends on the hour consists of whole hours", () => {
  const { head, hours, tail } = cutAtHours({ from: at(9), to: at(12) });
  assert.equal(hours, { from: at(9), to: at(12) });
  assert.equal([lengthOf(head), lengthOf(tail)], [0, 0]);
});

test("one millisecond off the hour belongs to the head or the tail", () => {
  assert.equal(cutAtHours({ from: at(8, 59) + 59_999, to: at(10, 0, 1) }), {
    head: { from: at(9) - 1, to: at(9) },
    hours: { from: at(9), to: at(10) },
    tail: { from: at(10), to: at(10) + 1 },
  });
  const inner = cutAtHours({ from: at(9, 0, 1), to: at(11) - 1 });
  assert.is(lengthOf(inner.hours), 0, "neither hour is whole");
  assert.is(lengthOf(inner.head) + lengthOf(inner.tail), 2 * HOUR_MS - 2);
});

test("a range without a whole hour has no hours, on one side of an hour or on both", () => {
  for (const range of [
    { from: at(9, 10), to: at(9, 50) },
    { from: at(9, 30), to: at(10, 30) },
    { from: at(9), to: at(9, 59) },
    { from: at(9, 1), to: at(10) },
    { from: at(9, 10), to: at(9, 10) },
    { from: at(9), to: at(9) },
  ]) {
    const { head, hours, tail } = cutAtHours(range);
    assert.is(lengthOf(hours), 0);
    assert.is(lengthOf(head) + lengthOf(tail), lengthOf(range));
  }
});

test("the parts of any range are disjoint, in order and together the range, and its hours are whole", () => {
  const instant = fc.oneof(
    moment,
    fc.integer({ min: -1e12, max: 4e12 }),
    fc.integer({ min: -100, max: 1_000 }).map((hour) => hour * HOUR_MS),
  );
  fc.assert(
    fc.property(
      instant,
      fc.oneof(fc.nat({ max: 5 * HOUR_MS }), fc.nat({ max: 9e9 })),
      (from, length) => {
        const range = { from, to: from + length };
        const { head, hours, tail } = cutAtHours(range);
        assert.is(head.from, range.from);
        assert.is(head.to, hours.from);
        assert.is(hours.to, tail.from);
        assert.is(tail.to, range.to);
        for (const part of [head, hours, tail]) assert.ok(lengthOf(part) >= 0);
        if (lengthOf(hours) > 0) {
          assert.is(Math.abs(hours.from % HOUR_MS), 0);
          assert.is(Math.abs(hours.to % HOUR_MS), 0);
          assert.ok(
            lengthOf(head) < HOUR_MS && lengthOf(tail) < HOUR_MS,
            "a whole hour was left out",
          );
        } else assert.ok(lengthOf(range) < 2 * HOUR_MS, "no whole hour in so long a range");
      },
    ),
    { numRuns: 2_000 },
  );
});

const iso = (ms: number): string => new Date(ms).toISOString();

test("buckets start on the full hour or at midnight, in UTC, also before 1970", () => {
  const last = Date.UTC(2024, 1, 29, 23, 59, 59, 999);
  assert.is(iso(bucketOf(last, "hour")), "2024-02-29T23:00:00.000Z");
  assert.is(iso(bucketOf(last, "day")), "2024-02-29T00:00:00.000Z");
  assert.is(iso(bucketOf(last + 1, "day")), "2024-03-01T00:00:00.000Z");
  assert.is(iso(bucketOf(-1, "hour")), "1969-12-31T23:00:00.000Z");
});

test("a range touches the buckets of its first and last millisecond, and all in between", () => {
  const from = Date.UTC(2025, 11, 31, 22, 30);
  const to = Date.UTC(2026, 0, 1, 1);
  assert.equal(bucketsOf({ from, to }, "hour").map(iso), [
    "2025-12-31T22:00:00.000Z",
    "2025-12-31T23:00:00.000Z",
    "2026-01-01T00:00:00.000Z",
  ]);
  assert.is(bucketsOf({ from, to: to + 1 }, "hour").length, 4);
  assert.equal(bucketsOf({ from, to }, "day").map(iso), [
    "2025-12-31T00:00:00.000Z",
    "2026-01-01T00:00:00.000Z",
  ]);
  assert.equal(bucketsOf({ from, to: from }, "day"), []);
});

test("the buckets of any range are in order, without gaps, and as many as counted", () => {
  fc.assert(
    fc.property(
      moment,
      fc.nat({ max: 9e9 }),
      fc.constantFrom(...INTERVAL_NAMES),
      (from, length, by) => {
        const range = { from, to: from + length };
        const buckets = bucketsOf(range, by);
        assert.is(buckets.length, bucketCount(range, by));
        const bucketMs = by === "hour" ? HOUR_MS : DAY_MS;
        for (const [i, start] of buckets.entries()) {
          assert.is(bucketOf(start, by), start);
          assert.ok(start < range.to && start + bucketMs > range.from);
          if (i > 0) assert.is(start, (buckets[i - 1] ?? 0) + bucketMs);
        }
        if (length > 0) {
          assert.is(buckets[0], bucketOf(from, by));
          assert.is(buckets.at(-1), bucketOf(range.to - 1, by));
        }
      },
    ),
  );
});

test.run();
