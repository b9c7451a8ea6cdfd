import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { RANGE_DAYS_MAX, RANGE_MS_MAX, rangeOf, WINDOW_NAMES } from "./window.ts";

const test = suite("window");

const HOUR_MS = 3_600_000;

test("there are two windows, of 24 hours and of 7 days", () => {
  assert.equal([...WINDOW_NAMES], ["last_24h", "last_7d"]);
  const now = Date.UTC(2026, 0, 31, 9, 30, 0, 123);
  assert.equal(rangeOf("last_24h", now), { from: Date.UTC(2026, 0, 30, 9, 30, 0, 123), to: now });
  assert.equal(rangeOf("last_7d", now), { from: Date.UTC(2026, 0, 24, 9, 30, 0, 123), to: now });
});

test("any window ends now and is as long as its name says, to the millisecond", () => {
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

test("every window is within the longest range that may be asked for", () => {
  assert.is(RANGE_MS_MAX, RANGE_DAYS_MAX * 24 * HOUR_MS);
  for (const name of WINDOW_NAMES) {
    const { from, to } = rangeOf(name, 0);
    assert.ok(to - from <= RANGE_MS_MAX);
  }
});

test.run();
