import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { accepted, NOW, refused } from "./decode.fixture.ts";
import { EVENT_TYPES_DEFAULT } from "./rules.ts";
import { unicodeText } from "./text.fixture.ts";

const test = suite("decodeEvent: any event");

type Sent = Readonly<Record<string, unknown>>;

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

const identifier = fc
  .oneof(
    unicodeText({ minLength: 1, maxLength: 255 }),
    fc.constantFrom("x".repeat(255), "é😀".repeat(127)),
  )
  .map((text) => text.replace(/\p{Cc}/gu, "-"));

/** An instant that the rules allow, in one of its spellings. */
const instant = fc
  .record({
    ms: fc.integer({ min: NOW - 3_652 * 24 * HOUR_MS, max: NOW + 5 * MINUTE_MS }),
    offset: fc.constantFrom(-720, -210, -1, 0, 1, 60, 345, 840),
  })
  .map(({ ms, offset }) => ({ ms, text: withOffset(ms, offset) }));

const withOffset = (ms: number, minutes: number): string => {
  const two = (n: number): string => `${n}`.padStart(2, "0");
  const local = new Date(ms + minutes * MINUTE_MS).toISOString().slice(0, -1);
  const size = Math.abs(minutes);
  return `${local}${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
};

const metadata = fc
  .dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }), { noNullPrototype: true, maxKeys: 6 })
  .filter((value) => !JSON.stringify(value).includes('"__proto__"'));

const valid = fc.record({
  event_id: identifier,
  account_id: identifier.filter((text) => text !== "." && text !== ".."),
  user_id: identifier,
  type: fc.constantFrom(...EVENT_TYPES_DEFAULT),
  instant,
  metadata: fc.option(metadata),
});

const sent = valid.map(({ instant: { text }, metadata: object, ...fields }): Sent => ({
  ...fields,
  timestamp: text,
  ...(object === null ? {} : { metadata: object }),
}));

test("any valid event decodes to itself", () => {
  fc.assert(
    fc.property(valid, ({ instant: { ms, text }, metadata: object, ...fields }) => {
      const { fingerprint, ...event } = accepted({
        ...fields,
        timestamp: text,
        ...(object === null ? {} : { metadata: object }),
      });
      assert.equal(event, {
        eventId: fields.event_id,
        accountId: fields.account_id,
        userId: fields.user_id,
        type: fields.type,
        occurredAt: ms,
        metadata: object === null ? null : JSON.stringify(object),
      });
      assert.ok(Number.isSafeInteger(fingerprint) && fingerprint >= 0);
    }),
    { numRuns: 150 },
  );
});

const without = (event: Sent, field: string): Sent =>
  Object.fromEntries(Object.entries(event).filter(([name]) => name !== field));
/** One character below the limit. */
const shortened = (text: string): string => Array.from(text).slice(0, 254).join("");
const notAString = fc.constantFrom<unknown>(null, true, 0, 1.5, [], ["x"], {}, { x: "y" });
const inserted = (text: string, where: number, what: string): string => {
  const at = where % (text.length + 1);
  return text.slice(0, at) + what + text.slice(at);
};

/** A change that makes a valid event invalid, and the field that must be reported. */
const mutation: fc.Arbitrary<{ field: string; mutate: (event: Sent) => Sent }> = fc
  .tuple(fc.constantFrom("event_id", "account_id", "user_id"), fc.nat({ max: 600 }), notAString)
  .chain(([id, where, other]) => {
    const set = (field: string, to: (old: string) => unknown) => ({
      field,
      mutate: (event: Sent): Sent => {
        const old = event[field];
        return { ...event, [field]: to(typeof old === "string" ? old : "") };
      },
    });
    const drop = (field: string) => ({
      field,
      mutate: (event: Sent): Sent => without(event, field),
    });
    return fc.constantFrom(
      ...[id, "type", "timestamp"].flatMap((field) => [drop(field), set(field, () => other)]),
      set(id, () => ""),
      set(id, (old) => old.padEnd(512, "x")),
      ...["\u0000", "\n", "\u001f", "\u007f", "\u009f"].map((control) =>
        set(id, (old) => inserted(shortened(old), where, control)),
      ),
      set(id, (old) => `${shortened(old)}\ud800`),
      set(id, (old) => `\udc00${shortened(old)}`),
      set("type", (old) => `${old}!`),
      set("timestamp", (old) => old.slice(0, -6)),
      set("timestamp", (old) => ` ${old}`),
      set("timestamp", () => withOffset(NOW + 5 * MINUTE_MS + 1 + where, where)),
      set("timestamp", () => withOffset(NOW - 3_653 * 24 * HOUR_MS - 1 - where, -where)),
      set("metadata", () => (Array.isArray(other) ? other : "text")),
      set("metadata", () => ({ a: [{ b: "\u0000" }] })),
      set("metadata", () => ({ text: "x".repeat(4), "\ud800": 1 })),
      set("extra", () => other),
    );
  });

test("any single fault in a valid event rejects it and names the field", () => {
  fc.assert(
    fc.property(sent, mutation, (event, { field, mutate }) => {
      const issues = refused(mutate(event));
      assert.is(issues.length, 1, JSON.stringify(issues));
      const [path = ""] = issues[0] ?? [];
      assert.ok(path === field || path.startsWith(`${field}.`), `${path} for ${field}`);
    }),
    { numRuns: 600 },
  );
});

test("any JSON value is decoded or refused, and never breaks the decoder", () => {
  const fields = ["event_id", "account_id", "user_id", "type", "timestamp", "metadata"];
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.dictionary(fc.oneof(fc.constantFrom(...fields), fc.string()), fc.jsonValue()),
  );
  fc.assert(
    fc.property(anything, (input) => {
      for (const [path, message] of refused(input)) {
        assert.type(path, "string");
        assert.ok(message.length > 0 && message.length < 500);
      }
    }),
    { numRuns: 500 },
  );
});

test.run();
