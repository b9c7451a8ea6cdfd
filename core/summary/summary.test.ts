import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent, eventStream, moment } from "../event/event.fixture.ts";
import type { Event } from "../event/event.ts";
import { unicodeText } from "../event/text.fixture.ts";
import type { Range } from "./range.ts";
import { byActivity, compareBytes, summarise } from "./summary.ts";

const test = suite("summarise");

const { TextEncoder } = globalThis as unknown as {
  readonly TextEncoder: new () => { encode(text: string): Iterable<number> };
};
const encoder = new TextEncoder();

/** The order of two texts by their bytes, compared one by one: -1, 0 or 1. */
const byteOrder = (a: string, b: string): number => {
  const [left, right] = [[...encoder.encode(a)], [...encoder.encode(b)]];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? -1) - (right[i] ?? -1);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
};

const always: Range = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY };
const byUsers = (...users: ReadonlyArray<string>): Event[] =>
  users.map((userId, i) => anEvent({ eventId: `${i}`, userId }));
const totalsOf = (events: ReadonlyArray<Event>, range: Range) =>
  Object.fromEntries(summarise(events, range, 10).totals);
const topOf = (events: ReadonlyArray<Event>, top: number): string[] =>
  summarise(events, always, top).topUsers.map(({ userId, events: n }) => `${userId} ${n}`);

test("an account without events has no totals and no users", () => {
  assert.equal(summarise([], always, 10), { totals: new Map(), topUsers: [] });
});

test("totals contain only types that occurred in the range", () => {
  const range = { from: 100, to: 200 };
  const events = [
    anEvent({ eventId: "1", type: "login", occurredAt: 150 }),
    anEvent({ eventId: "2", type: "login", occurredAt: 151 }),
    anEvent({ eventId: "3", type: "custom", occurredAt: 150 }),
    anEvent({ eventId: "4", type: "call_made", occurredAt: 250 }),
  ];
  assert.equal(totalsOf(events, range), { custom: 1, login: 2 });
});

test("a range starts with its first millisecond and ends before its last", () => {
  const range = { from: 100, to: 200 };
  const at = [99, 100, 199, 200].map((occurredAt) =>
    anEvent({ eventId: `${occurredAt}`, userId: `${occurredAt}`, occurredAt }),
  );
  const { totals, topUsers } = summarise(at, range, 10);
  assert.equal([...totals], [["login", 2]]);
  assert.equal(
    topUsers.map(({ userId }) => userId),
    ["100", "199"],
  );
});

test("an empty range contains nothing, not even an event at its very instant", () => {
  const { totals, topUsers } = summarise(
    [anEvent({ occurredAt: 100 })],
    { from: 100, to: 100 },
    10,
  );
  assert.is(totals.size, 0);
  assert.equal(topUsers, []);
});

test("the most active users come first, and no more than requested", () => {
  const events = byUsers("c", "a", "b", "b", "c", "c");
  assert.equal(topOf(events, 10), ["c 3", "b 2", "a 1"]);
  assert.equal(topOf(events, 2), ["c 3", "b 2"]);
  assert.equal(topOf(events, 0), []);
});

test("users with equal counts are in the byte order of their ids, and `top` cuts there", () => {
  const events = byUsers("b", "\u{1f600}", "B", "\uffee", "aa", "ä", "a", "b\u0301", "b");
  assert.equal(topOf(events, 100), [
    "b 2",
    "B 1",
    "a 1",
    "aa 1",
    "b\u0301 1",
    "ä 1",
    "\uffee 1",
    "\u{1f600} 1",
  ]);
  assert.equal(topOf(events, 3), ["b 2", "B 1", "a 1"]);
});

test("any stream over any range has the counts of a simple count", () => {
  fc.assert(
    fc.property(
      eventStream({ accounts: ["x"], eventIds: 50 }, 60),
      moment,
      moment,
      fc.nat({ max: 6 }),
      (stream, a, b, top) => {
        const range = { from: Math.min(a, b), to: Math.max(a, b) };
        const inside = stream.filter(({ occurredAt: at }) => range.from <= at && at < range.to);
        const { totals, topUsers } = summarise(stream, range, top);
        for (const type of new Set(stream.map((event) => event.type))) {
          const count = inside.filter((event) => event.type === type).length;
          assert.is(totals.get(type), count === 0 ? undefined : count);
        }
        const users = [...new Set(inside.map(({ userId }) => userId))]
          .map((userId) => ({
            userId,
            events: inside.filter((event) => event.userId === userId).length,
          }))
          .toSorted(
            (one, other) => other.events - one.events || byteOrder(one.userId, other.userId),
          );
        assert.equal(topUsers, users.slice(0, top));
      },
    ),
    { numRuns: 300 },
  );
});

test("the order of the events does not matter", () => {
  fc.assert(
    fc.property(eventStream({ accounts: ["x"], eventIds: 50 }, 40), (stream) => {
      const forth = summarise(stream, always, 10);
      const back = summarise(stream.toReversed(), always, 10);
      assert.equal(forth.topUsers, back.topUsers);
      assert.equal(Object.fromEntries(forth.totals), Object.fromEntries(back.totals));
    }),
  );
});

test("compareBytes orders any two texts like their UTF-8 bytes", () => {
  const tail = fc.array(
    fc.constantFrom("a", "ä", "\ud7ff", "\uffee", "\u{1f600}", "\u{1f601}", "\u{10ffff}"),
    {
      maxLength: 3,
    },
  );
  // A common prefix moves the first difference back, also into the middle of a pair.
  const pair = fc.oneof(
    fc.tuple(unicodeText(), unicodeText()),
    fc
      .tuple(unicodeText({ maxLength: 4 }), tail, tail)
      .map(([head, a, b]) => [head + a.join(""), head + b.join("")] as const),
  );
  fc.assert(
    fc.property(pair, ([a, b]) => {
      assert.is(Math.sign(compareBytes(a, b)), byteOrder(a, b));
      assert.is(Math.sign(compareBytes(b, a)), byteOrder(b, a));
      assert.is(compareBytes(a, a), 0);
    }),
    { numRuns: 2_000 },
  );
});

test("compareBytes differs from the order of UTF-16 units where that is not the order of bytes", () => {
  const utf16 = ["\u{1f600}", "\uffee"];
  assert.equal(utf16.toSorted(), utf16);
  assert.equal(utf16.toSorted(compareBytes), utf16.toReversed());
  assert.ok(compareBytes("\u{1f600}", "\u{1f601}") < 0);
  assert.ok(compareBytes("a", "aa") < 0);
  assert.ok(compareBytes("", "\u0001") < 0);
});

test("byActivity compares the count before the id", () => {
  assert.ok(byActivity({ userId: "z", events: 2 }, { userId: "a", events: 1 }) < 0);
  assert.ok(byActivity({ userId: "a", events: 1 }, { userId: "b", events: 1 }) < 0);
  assert.is(byActivity({ userId: "a", events: 1 }, { userId: "a", events: 1 }), 0);
});

test.run();
