import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { EventsCursor } from "../../../core/query/list_events.ts";
import { readCursor, writeCursor } from "./events_cursor.ts";

const test = suite("events cursor");

const NOW = Date.UTC(2026, 10, 22);
const DAY_MS = 86_400_000;

const cursor: fc.Arbitrary<EventsCursor> = fc
  .record({
    occurredAt: fc.integer({ min: Date.UTC(1900, 0), max: NOW + DAY_MS }),
    asOf: fc.integer({ min: Date.UTC(1900, 0), max: NOW }),
    position: fc.nat(),
    behind: fc.nat(),
    from: fc.option(fc.nat(DAY_MS)),
    to: fc.option(fc.integer({ min: 1, max: DAY_MS })),
    type: fc.option(fc.stringMatching(/^[a-z][a-z0-9_.:-]{0,63}$/)),
  })
  .map(({ occurredAt, asOf, position, behind, from, to, type }) => ({
    before: { occurredAt, position },
    upTo: position + behind,
    asOf: Math.min(NOW, Math.max(asOf, occurredAt - DAY_MS)),
    filter: {
      from: from === null ? null : occurredAt - from,
      to: to === null ? null : occurredAt + to,
      type,
    },
  }));

const read = (text: string, accountId: string) => readCursor(text, accountId, NOW);

test("every cursor survives a round trip, in text that needs no escaping in a URL", () => {
  fc.assert(
    fc.property(cursor, fc.string(), (written, accountId) => {
      const text = writeCursor(written, accountId);
      assert.match(text, /^[\w-]+$/);
      assert.equal(read(text, accountId), written);
    }),
  );
});

test("a cursor of another account is refused", () => {
  fc.assert(
    fc.property(cursor, fc.string(), fc.string(), (written, one, other) => {
      fc.pre(one !== other);
      assert.is(read(writeCursor(written, one), other), undefined);
    }),
  );
});

test("a cursor with any character changed, removed or added is refused", () => {
  fc.assert(
    fc.property(cursor, fc.nat(), fc.constantFrom("", "A", "=", "é"), (written, at, put) => {
      const text = writeCursor(written, "acme");
      const i = at % text.length;
      const changed = text.slice(0, i) + put + text.slice(i + 1);
      fc.pre(changed !== text);
      assert.is(read(changed, "acme"), undefined);
      assert.is(read(`${text}${put}=`, "acme"), undefined);
    }),
    { numRuns: 500 },
  );
});

test("a cursor that no page can have had is refused, even with the right checksum", () => {
  const sound: EventsCursor = {
    before: { occurredAt: NOW - 1_000, position: 5 },
    upTo: 9,
    asOf: NOW - 500,
    filter: { from: null, to: null, type: null },
  };
  assert.equal(read(writeCursor(sound, "acme"), "acme"), sound);
  const { before, filter } = sound;
  for (const forged of [
    // The database does not accept NUL.
    { ...sound, filter: { ...filter, type: "a\0" } },
    { ...sound, filter: { ...filter, type: "" } },
    { ...sound, filter: { ...filter, type: "a".repeat(65) } },
    { ...sound, filter: { ...filter, type: "\ud800" } },
    // In the future, or before the event that it continues after.
    { ...sound, asOf: NOW + 61_000 },
    { ...sound, asOf: Date.UTC(9999, 0) },
    { ...sound, asOf: NOW - 3 * DAY_MS },
    { ...sound, before: { ...before, position: 10 } },
    { ...sound, filter: { ...filter, from: NOW } },
    { ...sound, filter: { ...filter, to: NOW - 1_000 } },
  ]) {
    assert.is(read(writeCursor(forged, "acme"), "acme"), undefined, JSON.stringify(forged));
  }
  // Clocks may differ a little.
  const ahead = { ...sound, asOf: NOW + 59_000 };
  assert.equal(read(writeCursor(ahead, "acme"), "acme"), ahead);
});

test("no text makes it throw", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), fc.base64String()), (text) => {
      assert.is(read(text, "acme"), undefined);
      assert.is(read(Buffer.from(text).toString("base64url"), "acme"), undefined);
    }),
  );
});

test.run();
