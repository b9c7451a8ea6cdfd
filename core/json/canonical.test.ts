import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { canonicalJson } from "./canonical.ts";

const test = suite("canonicalJson");

/** The same value with another order of keys in every object. */
const shuffled = (value: unknown, seed: number): unknown => {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, seed));
  if (typeof value !== "object" || value === null) return value;
  const order = (key: string): number => {
    let rank = seed;
    for (let i = 0; i < key.length; i++) rank = Math.imul(rank ^ key.charCodeAt(i), 0x9e3779b1);
    return rank;
  };
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => order(a) - order(b))
      .map(([key, inner]) => [key, shuffled(inner, seed)]),
  );
};

test("equal values have equal texts, whatever the order of their keys", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.integer(), (value, seed) => {
      assert.is(canonicalJson(shuffled(value, seed)), canonicalJson(value));
    }),
    { numRuns: 1_000 },
  );
});

test("the text is JSON of the same value, so different values have different texts", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.equal(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 1_000 },
  );
});

test("keys are in the order of their UTF-16 units, at every depth", () => {
  // The example of RFC 8785, section 3.2.3.
  const keys = ["\u20ac", "\r", "\ufb33", "1", "\u{1f600}", "\u0080", "\u00f6"];
  const sorted = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\u{1f600}", "\ufb33"];
  const ofKeys = (order: string[]): string =>
    `{${order.map((key) => `${JSON.stringify(key)}:0`).join(",")}}`;
  assert.is(canonicalJson(JSON.parse(ofKeys(keys))), ofKeys(sorted));
  assert.is(canonicalJson([{ b: { d: 1, c: 2 }, a: [] }]), '[{"a":[],"b":{"c":2,"d":1}}]');
  // JavaScript would put integers first, ordered by value.
  assert.is(canonicalJson({ b: 1, "9": 2, "10": 3, "": 4 }), '{"":4,"10":3,"9":2,"b":1}');
});

test("the order of arrays is part of the value", () => {
  assert.is.not(canonicalJson([1, 2]), canonicalJson([2, 1]));
});

test("there is no white space, and scalars are written as JSON.stringify does", () => {
  assert.is(
    canonicalJson({
      s: 'a "\\\n ü😀',
      n: [1.5, -0, 1e21, 1e-7],
      t: true,
      f: false,
      z: null,
      e: {},
    }),
    '{"e":{},"f":false,"n":[1.5,0,1e+21,1e-7],"s":"a \\"\\\\\\n ü😀","t":true,"z":null}',
  );
});

test.run();
