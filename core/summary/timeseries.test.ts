import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent, eventStream, moment } from "../event/event.fixture.ts";
import type { Event } from "../event/event.ts";
import { bucketsOf, type Interval, INTERVAL_NAMES, type Range } from "./range.ts";
import { summarise } from "./summary.ts";
import { countByBucket, fillGaps } from "./timeseries.ts";

const test = suite("timeseries");

const plain = (
  events: ReadonlyArray<Event>,
  range: Range,
  interval: Interval,
  type: string | null,
) =>
  fillGaps(countByBucket(events, range, interval, type), range, interval, type).map(
    ({ start, totals }) => [new Date(start).toISOString(), Object.fromEntries(totals)] as const,
  );

const hour = Date.UTC(2026, 0, 31, 9);
const HOUR_MS = 3_600_000;
const events = [
  anEvent({ eventId: "1", occurredAt: hour + 1 }),
  anEvent({ eventId: "2", occurredAt: hour + 2 * HOUR_MS, type: "custom" }),
  anEvent({ eventId: "3", occurredAt: hour + 2 * HOUR_MS + 1, type: "custom" }),
];

test("every bucket is present, with a zero for each type that occurs in another one", () => {
  assert.equal(plain(events, { from: hour, to: hour + 3 * HOUR_MS }, "hour", null), [
    ["2026-01-31T09:00:00.000Z", { custom: 0, login: 1 }],
    ["2026-01-31T10:00:00.000Z", { custom: 0, login: 0 }],
    ["2026-01-31T11:00:00.000Z", { custom: 2, login: 0 }],
  ]);
});

test("a time series of one type has only that type, even if it never occurs", () => {
  const range = { from: hour, to: hour + 2 * HOUR_MS };
  assert.equal(plain(events, range, "hour", "custom"), [
    ["2026-01-31T09:00:00.000Z", { custom: 0 }],
    ["2026-01-31T10:00:00.000Z", { custom: 0 }],
  ]);
  assert.equal(plain(events, range, "hour", "login")[0]?.[1], { login: 1 });
});

test("an account without events has every bucket, and no types", () => {
  assert.equal(plain([], { from: hour, to: hour + 1 }, "day", null), [
    ["2026-01-31T00:00:00.000Z", {}],
  ]);
});

test("the first and the last bucket contain only events in the range", () => {
  assert.equal(plain(events, { from: hour + 2, to: hour + 2 * HOUR_MS + 1 }, "day", null), [
    ["2026-01-31T00:00:00.000Z", { custom: 1 }],
  ]);
});

test("each bucket of any time series has the totals of a summary of its part of the range", () => {
  fc.assert(
    fc.property(
      eventStream({ accounts: ["x"], eventIds: 50 }, 60),
      moment,
      fc.nat({ max: 60 * HOUR_MS }),
      fc.constantFrom(...INTERVAL_NAMES),
      fc.constantFrom(null, "login", "call_made", "form_submitted"),
      (stream, from, length, interval, type) => {
        const range = { from, to: from + length };
        const chosen = stream.filter((event) => type === null || event.type === type);
        const types = new Set(summarise(chosen, range, 0).totals.keys());
        if (type !== null) types.add(type);
        const starts = bucketsOf(range, interval);
        const expected = starts.map((start, i) => {
          const part = {
            from: Math.max(start, range.from),
            to: Math.min(starts[i + 1] ?? range.to, range.to),
          };
          const { totals } = summarise(chosen, part, 0);
          const counts = [...types]
            .toSorted()
            .map((name) => [name, totals.get(name) ?? 0] as const);
          return [new Date(start).toISOString(), Object.fromEntries(counts)] as const;
        });
        assert.equal(plain(stream, range, interval, type), expected);
      },
    ),
    { numRuns: 300 },
  );
});

test.run();
