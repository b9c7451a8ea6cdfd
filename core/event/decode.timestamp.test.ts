import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { accepted, assertRefused, NOW, rulesWith, sentEvent } from "./decode.fixture.ts";
import { EVENT_RULES_DEFAULT } from "./rules.ts";
import { formatTimestamp } from "./timestamp.ts";

const test = suite("decodeEvent: timestamp");

const MINUTE_MS = 60_000;
const at = (ms: number): unknown => sentEvent({ timestamp: formatTimestamp(ms) });

test("an event may be 5 minutes ahead of the clock, and not a millisecond more", () => {
  assert.is(EVENT_RULES_DEFAULT.futureMaxMs, 5 * MINUTE_MS);
  const latest = NOW + 5 * MINUTE_MS;
  assert.is(accepted(at(latest)).occurredAt, latest);
  assertRefused(at(latest + 1), "timestamp", /future.*not be after 2026-01-31T12:05:00\.000Z/);
});

test("an event may be as old as the rules say, and not a millisecond more", () => {
  const earliest = NOW - EVENT_RULES_DEFAULT.ageMaxMs;
  assert.is(accepted(at(earliest)).occurredAt, earliest);
  const bound = formatTimestamp(earliest).replaceAll(".", "\\.");
  assertRefused(at(earliest - 1), "timestamp", new RegExp(`too old.*not be before ${bound}`));
});

test("ten years ago is never too old, whatever leap days lie in between", () => {
  for (let year = 2000; year < 2100; year++) {
    for (const [month, day] of [
      [0, 1],
      [1, 28],
      [2, 1],
      [11, 31],
    ] as const) {
      const span = Date.UTC(year, month, day) - Date.UTC(year - 10, month, day);
      assert.ok(span <= EVENT_RULES_DEFAULT.ageMaxMs, `${year}-${month + 1}-${day}`);
    }
  }
});

test("the rules set both limits", () => {
  const rules = rulesWith({ futureMaxMs: 0, ageMaxMs: 1_000 });
  assert.ok(accepted(at(NOW), rules));
  assert.ok(accepted(at(NOW - 1_000), rules));
  assertRefused(at(NOW + 1), "timestamp", /future/, rules);
  assertRefused(at(NOW - 1_001), "timestamp", /too old/, rules);
});

test("the limits apply to the instant, whatever its offset", () => {
  const latest = "2026-02-01T01:35:00.000+13:30";
  assert.is(accepted(sentEvent({ timestamp: latest })).occurredAt, NOW + 5 * MINUTE_MS);
  assertRefused(sentEvent({ timestamp: "2026-02-01T01:35:00.001+13:30" }), "timestamp", /future/);
});

test("digits after the millisecond move no event over a limit or into the next millisecond", () => {
  const { occurredAt } = accepted(sentEvent({ timestamp: "2026-01-31T12:05:00.000999999Z" }));
  assert.is(occurredAt, NOW + 5 * MINUTE_MS);
});

test("text that is not a timestamp with an offset is refused with an example", () => {
  for (const timestamp of [
    "",
    "now",
    "1769852400000",
    "2026-01-31",
    "2026-01-31T09:30:00",
    "2026-01-31 09:30:00Z",
    "2026-02-29T09:30:00Z",
    "2026-01-31T09:30:00Z\u0000",
  ]) {
    assertRefused(sentEvent({ timestamp }), "timestamp", /offset, such as 2026-01-31T09:30:00/);
  }
});

test("an hour 24, a leap second and an offset without minutes are refused, and the message says so", () => {
  for (const timestamp of [
    "2026-01-30T24:00:00Z",
    "2016-12-31T23:59:60Z",
    "2026-01-31T09:30:00+01",
    "2026-02-30T09:30:00Z",
  ]) {
    const message = /and its date and time must exist \(no hour 24, no second 60\)$/;
    assertRefused(sentEvent({ timestamp }), "timestamp", message);
  }
});

test("events that differ only in digits after the millisecond are duplicates", () => {
  const one = accepted(sentEvent({ timestamp: "2026-01-31T09:30:00.000001Z" }));
  const other = accepted(sentEvent({ timestamp: "2026-01-31t10:30:00,000999999+0100" }));
  assert.equal(one, other);
});

test("an event is accepted exactly if its instant is within the limits", () => {
  const earliest = NOW - EVENT_RULES_DEFAULT.ageMaxMs;
  const latest = NOW + EVENT_RULES_DEFAULT.futureMaxMs;
  const instant = fc.oneof(
    fc.integer({ min: earliest - 5, max: earliest + 5 }),
    fc.integer({ min: latest - 5, max: latest + 5 }),
    fc.integer({ min: Date.UTC(1900, 0), max: Date.UTC(2100, 0) }),
  );
  fc.assert(
    fc.property(instant, (ms) => {
      if (ms < earliest) assertRefused(at(ms), "timestamp", /too old/);
      else if (ms > latest) assertRefused(at(ms), "timestamp", /in the future/);
      else assert.is(accepted(at(ms)).occurredAt, ms);
    }),
    { numRuns: 500 },
  );
});

test.run();
