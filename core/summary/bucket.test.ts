import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { moment } from "../event/event.fixture.ts";
import { bucketCount, bucketOf, bucketsOf, INTERVAL_NAMES } from "./bucket.ts";

const test = suite("bucket");

const iso = (ms: number): string => new Date(ms).toISOString();

test("buckets begin on the full hour or at midnight, in UTC, before 1970 as well", () => {
  const at = Date.UTC(2024, 1, 29, 23, 59, 59, 999);
  assert.is(iso(bucketOf(at, "hour")), "2024-02-29T23:00:00.000Z");
  assert.is(iso(bucketOf(at, "day")), "2024-02-29T00:00:00.000Z");
  assert.is(iso(bucketOf(at + 1, "day")), "2024-03-01T00:00:00.000Z");
  assert.is(iso(bucketOf(-1, "hour")), "1969-12-31T23:00:00.000Z");
});

test("a range touches the buckets of its first and its last millisecond and all between", () => {
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

test("the buckets of any range are in order, without a gap, and as many as counted", () => {
  fc.assert(
    fc.property(
      moment,
      fc.nat({ max: 9e9 }),
      fc.constantFrom(...INTERVAL_NAMES),
      (from, length, by) => {
        const range = { from, to: from + length };
        const buckets = bucketsOf(range, by);
        assert.is(buckets.length, bucketCount(range, by));
        const bucketMs = by === "hour" ? 3_600_000 : 86_400_000;
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
