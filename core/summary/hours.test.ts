import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { moment } from "../event/event.fixture.ts";
import { HOUR_MS } from "../projection/read_model.ts";
import { cutAtHours } from "./hours.ts";
import type { Range } from "./window.ts";

const test = suite("cutAtHours");

const at = (hour: number, minute = 0, ms = 0): number => Date.UTC(2026, 0, 31, hour, minute, 0, ms);
const lengthOf = ({ from, to }: Range): number => to - from;

test("a range with whole hours in it is cut at their two ends", () => {
  assert.equal(cutAtHours({ from: at(9, 30), to: at(12, 15) }), {
    head: { from: at(9, 30), to: at(10) },
    hours: { from: at(10), to: at(12) },
    tail: { from: at(12), to: at(12, 15) },
  });
});

test("a range that begins and ends on the hour is all whole hours", () => {
  const { head, hours, tail } = cutAtHours({ from: at(9), to: at(12) });
  assert.equal(hours, { from: at(9), to: at(12) });
  assert.equal([lengthOf(head), lengthOf(tail)], [0, 0]);
});

test("one millisecond beside the hour belongs to the head or the tail", () => {
  assert.equal(cutAtHours({ from: at(8, 59) + 59_999, to: at(10, 0, 1) }), {
    head: { from: at(9) - 1, to: at(9) },
    hours: { from: at(9), to: at(10) },
    tail: { from: at(10), to: at(10) + 1 },
  });
  const inner = cutAtHours({ from: at(9, 0, 1), to: at(11) - 1 });
  assert.is(lengthOf(inner.hours), 0, "neither hour is whole");
  assert.is(lengthOf(inner.head) + lengthOf(inner.tail), 2 * HOUR_MS - 2);
});

test("a range without a whole hour in it has none, on one side of an hour or on both", () => {
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

test("the parts of any range are disjoint, in order and together the range, and the hours are whole", () => {
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

test.run();
