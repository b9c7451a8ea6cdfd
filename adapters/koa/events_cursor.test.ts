import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { EventsCursor } from "../../core/query/list_events.ts";
import { readCursor, writeCursor } from "./events_cursor.ts";

const test = suite("events cursor");

const instant = fc.integer({ min: Date.UTC(1900, 0), max: Date.UTC(9999, 11, 31) });
const position = fc.nat();
// Cursors are compared with plain objects.
const PLAIN = { noNullPrototype: true } as const;
const cursor: fc.Arbitrary<EventsCursor> = fc.record(
  {
    before: fc.record({ occurredAt: instant, position }, PLAIN),
    upTo: position,
    asOf: instant,
    filter: fc.record(
      {
        from: fc.option(instant),
        to: fc.option(instant),
        type: fc.option(fc.stringMatching(/^[a-z][a-z0-9_.:-]{0,63}$/)),
      },
      PLAIN,
    ),
  },
  PLAIN,
);

test("any cursor is read back as it was written, from text that needs no escaping in a URL", () => {
  fc.assert(
    fc.property(cursor, fc.string(), (written, accountId) => {
      const text = writeCursor(written, accountId);
      assert.match(text, /^[\w-]+$/);
      assert.equal(readCursor(text, accountId), written);
    }),
  );
});

test("a cursor of another account is none", () => {
  fc.assert(
    fc.property(cursor, fc.string(), fc.string(), (written, one, other) => {
      fc.pre(one !== other);
      assert.is(readCursor(writeCursor(written, one), other), undefined);
    }),
  );
});

test("a cursor with any character changed, left out or added is none", () => {
  fc.assert(
    fc.property(cursor, fc.nat(), fc.constantFrom("", "A", "=", "é"), (written, at, put) => {
      const text = writeCursor(written, "acme");
      const i = at % text.length;
      const changed = text.slice(0, i) + put + text.slice(i + 1);
      fc.pre(changed !== text);
      assert.is(readCursor(changed, "acme"), undefined);
      assert.is(readCursor(`${text}${put}=`, "acme"), undefined);
    }),
    { numRuns: 500 },
  );
});

test("any text at all is read without a throw", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), fc.base64String()), (text) => {
      assert.is(readCursor(text, "acme"), undefined);
      assert.is(readCursor(Buffer.from(text).toString("base64url"), "acme"), undefined);
    }),
  );
});

test.run();
