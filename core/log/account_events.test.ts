import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../event/event.fixture.ts";
import type { RecordedEvent } from "../event/event.ts";
import { bytesOnPage, pageOf, type PageRequest } from "./account_events.ts";

const test = suite("pageOf");

const recorded = (position: number, occurredAt: number, fields = {}): RecordedEvent => ({
  ...anEvent({ eventId: `e${position}`, occurredAt, ...fields }),
  shard: 0,
  position,
  recordedAt: 1_000 + position,
});
/** e1 to e6, in the order of the log. */
const events = [
  recorded(1, 30),
  recorded(2, 10, { type: "custom" }),
  recorded(3, 20),
  recorded(4, 30),
  recorded(5, 20, { type: "custom" }),
  recorded(6, 40),
];
const all: PageRequest = {
  before: { occurredAt: Number.POSITIVE_INFINITY, position: 0 },
  from: Number.NEGATIVE_INFINITY,
  type: null,
  upTo: null,
  eventsMax: 100,
  bytesMax: 1_000_000,
  scannedMax: 100,
};
const page = (request: Partial<PageRequest>, checkpoint = 6) => {
  const { events: found, next } = pageOf(events, checkpoint, { ...all, ...request });
  return [found.map(({ eventId }) => eventId).join(" "), next];
};

test("events are listed newest first, and the last recorded first within one instant", () => {
  assert.equal(page({}), ["e6 e4 e1 e5 e3 e2", null]);
  assert.equal(pageOf([], 0, all), { events: [], next: null });
});

test("a page continues where the previous one ended, also between events of one instant", () => {
  assert.equal(page({ eventsMax: 2 }), ["e6 e4", { occurredAt: 30, position: 4 }]);
  const second = { before: { occurredAt: 30, position: 4 } };
  assert.equal(page({ ...second, eventsMax: 2 }), ["e1 e5", { occurredAt: 20, position: 5 }]);
  assert.equal(page({ ...second, eventsMax: 4 }), ["e1 e5 e3 e2", null]);
});

test("a list starts with its first instant and ends before its last", () => {
  assert.equal(page({ from: 20, before: { occurredAt: 40, position: 0 } }), ["e4 e1 e5 e3", null]);
});

test("only events up to the checkpoint and the requested position are listed", () => {
  assert.equal(page({}, 3), ["e1 e3 e2", null]);
  assert.equal(page({ upTo: 4 }), ["e4 e1 e3 e2", null]);
  assert.equal(page({ upTo: 9 }, 3), ["e1 e3 e2", null]);
});

test("a page ends before the event with which it would have too many bytes", () => {
  const bytes = bytesOnPage(recorded(1, 30));
  assert.equal(page({ bytesMax: 2 * bytes }), ["e6 e4", { occurredAt: 30, position: 4 }]);
  assert.equal(page({ bytesMax: 1 }), ["e6", { occurredAt: 40, position: 6 }]);
});

test("an event counts the bytes of its texts, and some more for its JSON", () => {
  const bare = recorded(1, 30, { metadata: null });
  const full = recorded(1, 30, { metadata: '{"a":"ä"}', userId: "adä" });
  assert.is(bytesOnPage(full) - bytesOnPage(bare), 10 + 1);
  const json = JSON.stringify({
    event_id: "e1",
    account_id: "acme",
    user_id: "ada",
    type: "login",
    timestamp: new Date(0).toISOString(),
    recorded_at: new Date(0).toISOString(),
    metadata: {},
  });
  assert.ok(Math.abs(bytesOnPage(bare) - json.length) < 60);
});

test("a page ends after it has searched too many events for a type, and the next one continues", () => {
  const custom = { type: "custom", scannedMax: 3 };
  assert.equal(page(custom), ["", { occurredAt: 30, position: 1 }]);
  const second = { ...custom, before: { occurredAt: 30, position: 1 } };
  assert.equal(page(second), ["e5 e2", { occurredAt: 10, position: 2 }]);
  assert.equal(page({ ...custom, before: { occurredAt: 10, position: 2 } }), ["", null]);
});

test.run();
