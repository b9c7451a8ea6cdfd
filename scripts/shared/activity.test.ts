import { test } from "uvu";
import * as assert from "uvu/assert";

import { decodeEvent } from "../../core/event/decode.ts";
import type { Event } from "../../core/event/event.ts";
import { EVENT_RULES_DEFAULT } from "../../core/event/rules.ts";
import { HOUR_MS } from "../../core/time.ts";
import { type ActivityOptions, busyTimes, generateActivity, sentEvent } from "./activity.ts";

const FROM = Date.UTC(2026, 10, 20, 7, 30);
const TO = FROM + 48 * HOUR_MS;

const activity = (options: Partial<ActivityOptions> = {}): ReadonlyArray<Event> => [
  ...generateActivity({
    events: 5_000,
    accounts: 100,
    users: 50,
    whale: 0,
    timeAt: busyTimes(FROM, TO),
    seed: 7,
    name: "a",
    ...options,
  }),
];

test("the service decodes a sent event to the same event", () => {
  for (const event of activity({ events: 200, whale: 20 })) {
    const decoded = decodeEvent(sentEvent(event), 0, EVENT_RULES_DEFAULT, TO, []);
    assert.equal(decoded, event);
  }
});

test("the same options give the same events, and another seed gives others", () => {
  assert.equal(activity(), activity());
  assert.not.equal(activity(), activity({ seed: 8 }));
});

test("events are in the order of time, from the start to the end", () => {
  const times = activity().map(({ occurredAt }) => occurredAt);
  assert.is(times[0], FROM);
  assert.equal(
    times,
    times.toSorted((a, b) => a - b),
  );
  assert.ok((times.at(-1) ?? TO) < TO);
});

test("ids are unique, and in the order of the events", () => {
  const ids = activity().map(({ eventId }) => eventId);
  assert.equal(ids, [...new Set(ids)].toSorted());
});

test("few accounts and hours have most of the events", () => {
  const events = activity();
  const shareOf = (isOne: (event: Event) => boolean): number =>
    events.filter(isOne).length / events.length;
  const large = new Set(Array.from({ length: 10 }, (_, n) => `account-${n}`));
  assert.ok(shareOf(({ accountId }) => large.has(accountId)) > 0.4);
  const hours = new Set([11, 12, 13, 14, 15, 16, 17, 18]);
  assert.ok(shareOf(({ occurredAt }) => hours.has(new Date(occurredAt).getUTCHours())) > 0.65);
});

test("a whale has its number of events, spread over the whole time", () => {
  const events = activity({ whale: 500 });
  const whale = events.flatMap(({ accountId }, i) => (accountId === "whale" ? [i] : []));
  assert.is(whale.length, 500);
  assert.ok(whale.every((at, n) => Math.abs(at - n * 10) <= 10));
  assert.is(activity({ whale: 5_000 }).filter(({ accountId }) => accountId !== "whale").length, 0);
});

test.run();
