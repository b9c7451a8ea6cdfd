import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { collapse, queuedIn } from "./batch.ts";
import { anEvent, eventStream } from "./event.fixture.ts";

const test = suite("collapse");

const streams = eventStream({ accounts: ["a", "b"], eventIds: 6 }, 30);

test("a batch without repetitions stays unchanged", () => {
  const events = [anEvent({ eventId: "2" }), anEvent({ eventId: "1" })];
  assert.equal(collapse(events), { events, duplicates: 0, conflicts: 0 });
  assert.equal(collapse([]), { events: [], duplicates: 0, conflicts: 0 });
});

test("a repeated event is a duplicate, however often", () => {
  const event = anEvent();
  assert.equal(collapse([event, { ...event }, { ...event }]), {
    events: [event],
    duplicates: 2,
    conflicts: 0,
  });
});

test("the same id with another payload is a conflict, and the first one stays", () => {
  const first = anEvent({ userId: "ada" });
  const second = anEvent({ userId: "bob" });
  assert.equal(collapse([first, second, second, first]), {
    events: [first],
    duplicates: 1,
    conflicts: 2,
  });
});

test("the same id in another account is another event", () => {
  const events = [anEvent({ accountId: "a" }), anEvent({ accountId: "b" })];
  assert.equal(collapse(events), { events, duplicates: 0, conflicts: 0 });
});

test("any stream keeps the first event of each identity in order, and counts every other event once", () => {
  fc.assert(
    fc.property(streams, (stream) => {
      const isSame = (a: number, b: number): boolean =>
        stream[a]?.accountId === stream[b]?.accountId && stream[a]?.eventId === stream[b]?.eventId;
      const firstOf = stream.map((_, i) => stream.findIndex((__, j) => isSame(i, j)));
      const kept = stream.filter((_, i) => firstOf[i] === i);
      const repeated = stream.filter((_, i) => firstOf[i] !== i).length;
      const duplicates = stream.filter(
        ({ fingerprint }, i) =>
          firstOf[i] !== i && stream[firstOf[i] ?? -1]?.fingerprint === fingerprint,
      ).length;
      const batch = collapse(stream);
      assert.equal(batch, { events: kept, duplicates, conflicts: repeated - duplicates });
      assert.is(queuedIn(batch), stream.length);
    }),
    { numRuns: 300 },
  );
});

test("collapsing twice changes nothing", () => {
  fc.assert(
    fc.property(streams, (stream) => {
      const { events } = collapse(stream);
      assert.equal(collapse(events), { events, duplicates: 0, conflicts: 0 });
    }),
  );
});

test.run();
