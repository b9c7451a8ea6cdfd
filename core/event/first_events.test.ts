import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent, eventStream } from "./event.fixture.ts";
import { identityOf } from "./event.ts";
import { makeFirstEvents } from "./first_events.ts";

const test = suite("makeFirstEvents");

test("it contains what a map by identity contains, whatever the number of events and what was expected", () => {
  const streams = fc.oneof(
    eventStream({ accounts: ["a", "b"], eventIds: 6 }, 30),
    eventStream({ accounts: ["a", "b", "c"], eventIds: 200 }, 600),
  );
  fc.assert(
    fc.property(streams, fc.nat({ max: 700 }), (stream, expected) => {
      const first = makeFirstEvents(expected);
      const model = new Map<string, unknown>();
      for (const event of stream) {
        const held = model.get(identityOf(event));
        if (held === undefined) model.set(identityOf(event), event);
        assert.is(first.add(event), held);
      }
      assert.equal(first.events, [...model.values()]);
    }),
  );
});

test("ids that differ only as a pair are different events", () => {
  const first = makeFirstEvents(0);
  const events = ["ab", "a", "", "abc"].flatMap((accountId) =>
    ["c", "bc", "abc", ""].map((eventId) => anEvent({ accountId, eventId })),
  );
  for (const event of events) assert.is(first.add(event), undefined);
  assert.is(first.events.length, events.length);
});

/** At each place, either of two texts gives the same FNV-1a hash, so all ids made of them have the same hash. */
const ALIKE = [
  ["rqj6lwn", "xjs0kge"],
  ["1s15zbf", "q4y0dll"],
  ["8ic3kq5", "syt378j"],
  ["y7p0pt6", "qa6afhk"],
  ["sc0n8zi", "x7oibrf"],
  ["z9y4wh2", "wosiwxl"],
  ["m2kon8a", "2jgyvmk"],
  ["65d1wgv", "e419e2z"],
];

test("ids that were chosen to have the same hash are distinguished", () => {
  let eventIds = [""];
  for (const pair of ALIKE) eventIds = eventIds.flatMap((id) => pair.map((text) => id + text));
  const first = makeFirstEvents(0);
  const events = eventIds.map((eventId) => anEvent({ eventId }));
  for (const event of events) assert.is(first.add(event), undefined);
  for (const event of events) assert.is(first.add({ ...event }), event);
  assert.equal(first.events, events);
});

test.run();
