import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { accepted, sentEvent } from "./decode.fixture.ts";

const test = suite("decodeEvent: fingerprint");

const fingerprintOf = (fields: Readonly<Record<string, unknown>>): number =>
  accepted(sentEvent(fields)).fingerprint;

const reversedKeys = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(reversedKeys);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([key, inner]) => [key, reversedKeys(inner)] as const);
  return Object.fromEntries(members.toReversed());
};

test("the order of the keys of metadata does not matter, at any depth", () => {
  const one = { a: 1, b: { c: [1, { x: 1, y: 2 }], d: null } };
  const other = { b: { d: null, c: [1, { y: 2, x: 1 }] }, a: 1 };
  assert.is(fingerprintOf({ metadata: one }), fingerprintOf({ metadata: other }));
  const storable = fc
    .dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true })
    .filter((value) => !JSON.stringify(value).includes('"__proto__"'));
  fc.assert(
    fc.property(storable, (metadata) => {
      assert.is(fingerprintOf({ metadata }), fingerprintOf({ metadata: reversedKeys(metadata) }));
    }),
  );
});

test("the spelling of the timestamp does not matter", () => {
  const written = [
    "2026-01-31T09:30:00.000Z",
    "2026-01-31T09:30Z",
    "2026-01-31t09:30:00z",
    "2026-01-31T10:30:00+01:00",
    "2026-01-30T21:30:00,0-1200",
    "2026-01-31T09:30:00.000999Z",
  ];
  assert.is(new Set(written.map((timestamp) => fingerprintOf({ timestamp }))).size, 1);
});

test("the spelling of a number does not matter", () => {
  const written = ["1500", "1500.0", "1.5e3", "150E1"];
  const fingerprints = written.map((n) => fingerprintOf({ metadata: JSON.parse(`{"n":${n}}`) }));
  assert.is(new Set(fingerprints).size, 1);
});

test("the identity is not part of it", () => {
  assert.is(fingerprintOf({ event_id: "e1" }), fingerprintOf({ event_id: "e2" }));
  assert.is(fingerprintOf({ account_id: "a" }), fingerprintOf({ account_id: "b" }));
});

test("everything else matters", () => {
  const payloads = [
    {},
    { user_id: "ADA" },
    { user_id: "ada " },
    { type: "custom" },
    { timestamp: "2026-01-31T09:30:00.001Z" },
    { metadata: {} },
    { metadata: { a: null } },
    { metadata: { a: 0 } },
    { metadata: { a: "0" } },
    { metadata: { a: false } },
    { metadata: { a: [] } },
    { metadata: { a: {} } },
    { metadata: { a: [1, 2] } },
    { metadata: { a: [2, 1] } },
    { metadata: { a: [12] } },
    { metadata: { a: "1,2" } },
    { metadata: { a: 1, b: 2 } },
    { metadata: { a: 2, b: 1 } },
    { metadata: { a: { b: 1 } } },
    { metadata: { "a.b": 1 } },
    { metadata: { a: "é" } },
    { metadata: { a: "e\u0301" } },
  ];
  assert.is(new Set(payloads.map(fingerprintOf)).size, payloads.length);
});

// Fingerprints are stored: other values would turn every retry of an old event into a conflict.
test("fingerprints are the same in every log", () => {
  assert.equal(
    [
      fingerprintOf({}),
      fingerprintOf({ metadata: {} }),
      fingerprintOf({ user_id: "Ünï😀", metadata: { b: [1.5, null, "ü"], a: { "": true } } }),
    ],
    [6_858_710_412_707_367, 7_379_315_757_851_568, 2_141_264_431_417_245],
  );
});

test.run();
