import * as fc from "fast-check";

import type { Event } from "./event.ts";
import { hash53 } from "./hash.ts";

/** An event for a test that cares only about some of its fields. */
export const anEvent = (fields: Partial<Omit<Event, "fingerprint">> = {}): Event => {
  const event = {
    accountId: "acme",
    eventId: "e1",
    userId: "ada",
    type: "login",
    occurredAt: Date.UTC(2026, 0, 31, 9, 30),
    metadata: null,
    ...fields,
  };
  const { userId, type, occurredAt, metadata } = event;
  return { ...event, fingerprint: hash53(JSON.stringify([userId, type, occurredAt, metadata])) };
};

/** Moments at which buckets end and start: hours, days, leap days, the turn of the year. */
const EDGES = [
  Date.UTC(2024, 1, 29),
  Date.UTC(2024, 2, 1),
  Date.UTC(2025, 11, 31, 23),
  Date.UTC(2026, 0, 1),
  Date.UTC(2026, 0, 1, 1),
  Date.UTC(2026, 0, 31, 9),
] as const;

/** Moments in milliseconds, most of them within a few milliseconds of an edge. */
export const moment: fc.Arbitrary<number> = fc.oneof(
  fc.tuple(fc.constantFrom(...EDGES), fc.integer({ min: -2, max: 2 })).map(([edge, d]) => edge + d),
  fc.integer({ min: Date.UTC(2025, 11, 30), max: Date.UTC(2026, 1, 2) }),
);

/** Identifiers that are difficult for byte order, quoting and encodings. */
export const identifier: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("a", "B", "ä", "\uffee", "😀", "'", '"', "\\", "{a,b}", "null", " ", "%", "a b"),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }).filter((s) => !/\p{Cc}/u.test(s)),
);

export interface EventSpace {
  readonly accounts: ReadonlyArray<string>;
  /** How many event ids an account has. Fewer ids give more duplicates and conflicts. */
  readonly eventIds: number;
}

/** Streams of events that repeat ids, with the same or another payload, in any order of time. */
export const eventStream = (
  { accounts, eventIds }: EventSpace,
  lengthMax: number,
): fc.Arbitrary<ReadonlyArray<Event>> => {
  const event = fc
    .record({
      accountId: fc.constantFrom(...accounts),
      eventId: fc.integer({ min: 1, max: eventIds }).map(String),
      userId: fc.constantFrom("ada", "bob", "eve", "ä", "\uffee", "😀"),
      type: fc.constantFrom("login", "call_made", "custom"),
      occurredAt: moment,
      metadata: fc.constantFrom(null, '{"n":1}', '{"quoted":"\\"{},\\\\"}'),
    })
    .map(anEvent);
  return fc
    .array(fc.tuple(event, fc.boolean()), { maxLength: lengthMax })
    .map((drawn) => drawn.flatMap(([one, again]) => (again ? [one, one] : [one])));
};
