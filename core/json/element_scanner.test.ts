import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { decodeStrictly, encodeUtf8 } from "../utf8.fixture.ts";
import { decodeUtf8 } from "../utf8.ts";
import { makeElementScanner, type ScanLimits, type Scanned } from "./element_scanner.ts";
import { losesValue } from "./lossy_number.ts";

const test = suite("element scanner");

const LIMITS: ScanLimits = { elementsMax: 1_000, tokensMax: 1_000_000, notesMax: 100 };

/** Scans in steps of so many bytes, and counts the steps. */
const scanIn = (
  pieces: number,
  bytes: Uint8Array,
  limits: Partial<ScanLimits> = {},
): readonly [Scanned, number] => {
  const scanner = makeElementScanner(bytes, "events", { ...LIMITS, ...limits });
  for (let count = 1; ; count++) {
    const scanned = scanner.advance(pieces);
    if (scanned !== undefined) return [scanned, count];
  }
};

const scan = (text: string | Uint8Array, limits?: Partial<ScanLimits>): Scanned =>
  scanIn(Infinity, typeof text === "string" ? encodeUtf8(text) : text, limits)[0];

const elementsIn = (text: string, { starts, ends }: Scanned): ReadonlyArray<string> => {
  const bytes = encodeUtf8(text);
  return starts.map((start, i) => decodeUtf8(bytes, start, ends[i] ?? 0));
};

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

/** JSON with any white space, escapes and spellings of numbers. */
const jsonText: fc.Arbitrary<string> = fc
  .tuple(
    fc.jsonValue({ maxDepth: 4 }),
    fc.constantFrom(undefined, 1, "\t", "\r\n "),
    fc.constantFrom("0", "-0", "1.50", "1e3", "-1E+2", "12.0e-02", "1234567890123456", "1e400"),
    fc.constantFrom("\\u0000", "\\ud83d\\ude00", '\\"\\\\\\/', "\\b\\f\\n\\r\\t", "ü€😀"),
  )
  .map(([value, indent, number, escape]) =>
    JSON.stringify([value, "@n", { "@k": "@s" }], undefined, indent)
      .replaceAll('"@n"', number)
      .replaceAll(/@[ks]/g, () => escape),
  );

const body: fc.Arbitrary<string> = fc.oneof(
  jsonText,
  fc
    .tuple(fc.array(jsonText, { maxLength: 4 }), fc.constantFrom("", " ", "\n"))
    .map(([items, space]) => `{${space}"events"${space}:${space}[${items.join(`${space},`)}]}`),
);

/** Changes to bytes that are likely to break JSON, or to change its meaning. */
const mutation = fc.record({
  at: fc.nat(),
  remove: fc.nat({ max: 2 }),
  insert: fc.oneof(
    fc.constantFrom(...Array.from('{}[],:"\\-+.eE019tfnu \n\t\u0000\u001f\u007f')),
    fc.constantFrom("true", "null", '"', "\\u12", "\\x", "01", "1.", ".5", "NaN", "{}", '"a":', ""),
    fc.constantFrom("\ufeff", "\u2028", "ü"),
  ),
  byte: fc.option(fc.integer({ min: 0x80, max: 0xff })),
});

type Mutation = typeof mutation extends fc.Arbitrary<infer M> ? M : never;

const mutated = (bytes: Uint8Array, { at, remove, insert, byte }: Mutation): Uint8Array => {
  const from = at % (bytes.length + 1);
  return Uint8Array.from([
    ...bytes.subarray(0, from),
    ...encodeUtf8(insert),
    ...(byte === null ? [] : [byte]),
    ...bytes.subarray(from + remove),
  ]);
};

test("a text is malformed exactly if JSON.parse after a strict decoder rejects it", () => {
  const outcomes = { json: 0, none: 0 };
  fc.assert(
    fc.property(body, fc.array(mutation, { maxLength: 3 }), (text, mutations) => {
      const bytes = mutations.reduce(mutated, encodeUtf8(text));
      const decoded = decodeStrictly(bytes);
      const expected = decoded !== undefined && isJson(decoded);
      outcomes[expected ? "json" : "none"]++;
      const { malformed } = scan(bytes);
      assert.is(malformed === undefined, expected, `${decoded ?? "no UTF-8"}: ${malformed}`);
    }),
    { numRuns: 5_000 },
  );
  assert.ok(outcomes.json > 500 && outcomes.none > 500, JSON.stringify(outcomes));
});

test("the result does not depend on the steps", () => {
  fc.assert(
    fc.property(body, fc.array(mutation, { maxLength: 1 }), fc.nat(40), (text, some, pieces) => {
      const bytes = some.reduce(mutated, encodeUtf8(text));
      assert.equal(found(scanIn(pieces + 1, bytes)[0]), found(scan(bytes)));
    }),
    { numRuns: 1_000 },
  );
});

/** The result, without the internal state of the scan. */
const found = ({ malformed, exceeded, root, field, otherFields, ...rest }: Scanned): object => {
  const { starts, ends, tokens, lossyNumbers } = rest;
  return { malformed, exceeded, root, field, otherFields, starts, ends, tokens, lossyNumbers };
};

const tokensOf = (value: unknown): number => {
  if (typeof value !== "object" || value === null) return 1;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + tokensOf(item), 1);
  return Object.values(value).reduce<number>((sum, item) => sum + 1 + tokensOf(item), 1);
};

test("the elements are those of the array, with the numbers of their values and keys", () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.constantFrom(undefined, 2), (events, indent) => {
      const text = JSON.stringify({ events }, undefined, indent);
      const scanned = scan(text);
      assert.equal(
        elementsIn(text, scanned).map((element): unknown => JSON.parse(element)),
        JSON.parse(JSON.stringify(events)),
      );
      assert.equal(scanned.tokens, events.map(tokensOf));
      assert.equal([scanned.root, scanned.field, scanned.otherFields], ["object", "array", []]);
    }),
    { numRuns: 500 },
  );
});

test("the field is found by its name, in any spelling, and only at the top level", () => {
  for (const [text, field, otherFields, elements] of [
    ["{}", "missing", [], 0],
    ['{"events":[]}', "array", [], 0],
    ['{"\\u0065vents":[1,2]}', "array", [], 2],
    ['{"events":null}', "other", [], 0],
    ['{"events":{"events":[1]}}', "other", [], 0],
    ['{"a":{"events":[1]},"events":[1,[2],{"events":[3]}]}', "array", ["a"], 3],
    ['{"a":[[1],[2]],"b":{"c":[1]}}', "missing", ["a", "b"], 0],
    [
      '{"events":[1],"a":[[2]],"\\u0000":0,"a":0,"__proto__":1}',
      "array",
      ["a", "\u0000", "__proto__"],
      1,
    ],
    ['{"event":[1],"events ":[1]}', "missing", ["event", "events "], 0],
    ['{"events":[1],"events":[2]}', "repeated", [], 1],
    ['{"events":1,"\\u0065vents":[2]}', "repeated", [], 0],
    ['[{"events":[1]}]', "missing", [], 0],
    ['["events",[1]]', "missing", [], 0],
  ] as const) {
    const scanned = scan(text);
    assert.is(scanned.malformed, undefined, text);
    assert.equal(
      [scanned.field, scanned.otherFields, scanned.ends.length],
      [field, otherFields, elements],
      text,
    );
    assert.is(scanned.root, text.startsWith("{") ? "object" : "other");
  }
});

const numberText = fc
  .tuple(
    fc.constantFrom("", "-"),
    fc.oneof(fc.constant("0"), fc.stringMatching(/^[1-9]\d{0,20}$/)),
    fc.oneof(fc.constant(""), fc.stringMatching(/^\.\d{1,20}$/)),
    fc.oneof(fc.constant(""), fc.stringMatching(/^[eE][+-]?\d{1,4}$/)),
  )
  .map((parts) => parts.join(""));

test("exactly the numbers that lose value are recorded, with their places", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(numberText, fc.double({ noNaN: true, noDefaultInfinity: true }).map(String)),
      ),
      (numbers) => {
        const text = `{"n":1e400,"events":[${numbers.map((n) => `{"${n}":[${n}]}`).join()}],"m":1e400}`;
        const { lossyNumbers } = scan(text, { notesMax: 1_000 });
        const lossy = [];
        for (let i = 0; i < lossyNumbers.length; i += 2) {
          lossy.push(text.slice(lossyNumbers[i], lossyNumbers[i + 1]));
        }
        assert.equal(lossy, numbers.filter(losesValue));
      },
    ),
    { numRuns: 1_000 },
  );
});

test("a message says what is wrong, and where", () => {
  for (const [text, message] of [
    ["", "The body is empty."],
    [" ", "The body ends where a value should be at byte 1."],
    ['{"a":}', 'Expected a value but found "}" at byte 5.'],
    ["[1,]", 'Expected a value but found "]" at byte 3.'],
    ["{'a':1}", `Expected a key in double quotes or "}" but found "'" at byte 1.`],
    ['{"a" 1}', 'Expected ":" but found "1" at byte 5.'],
    ["{}{}", 'Expected the end of the body but found "{" at byte 2.'],
    ["[1 2]", 'Expected "," or "]" but found "2" at byte 3.'],
    ["NaN", 'Expected a value but found "N" at byte 0.'],
    ["nul", "The body ends inside null at byte 3."],
    ["nuts", 'Expected a value but found "n" at byte 0.'],
    ["01", "A number is not valid JSON at byte 0."],
    ["[1.]", "A number is not valid JSON at byte 1."],
    ["-", "The body ends inside a number at byte 1."],
    ['"a', "The body ends inside a string at byte 2."],
    ['"\\x41"', "A string contains an escape that JSON does not have at byte 1."],
    ['"\n"', "A string contains a control character, which must be written as \\u000a, at byte 1."],
    [
      '{"events":[{},{"a":1,]}',
      'Expected a key in double quotes but found "]" at byte 21, in events[1].',
    ],
    ["\ufeff{}", "The body starts with a byte order mark (U+FEFF). Remove it."],
    ["{\u2028}", 'Expected a key in double quotes or "}" but found another character at byte 1.'],
  ] as const) {
    assert.is(scan(text).malformed, message, text);
  }
  assert.is(scan(Uint8Array.of(0x22, 0xff, 0x22)).malformed, "The body is not UTF-8.");
  assert.is(scan(Uint8Array.of(0xff)).malformed, "The body is not UTF-8.");
});

test("a scan stops where there are too many elements or tokens", () => {
  const many = `{"events":[${"1e1,".repeat(250_000)}1]}`;
  const [tooMany, pieces] = scanIn(16_384, encodeUtf8(many));
  assert.equal([tooMany.exceeded, tooMany.ends.length, pieces], ["elements", 1_001, 1]);
  const [nested, steps] = scanIn(16_384, encodeUtf8(`[${many}]`), { tokensMax: 10_000 });
  assert.equal([nested.exceeded, steps], ["tokens", 3]);
  assert.is(scan('{"events":[1,2]}', { elementsMax: 2, tokensMax: 5 }).exceeded, undefined);
  assert.is(scan('{"events":[1,2]}', { tokensMax: 3 }).exceeded, "tokens");
});

test("records are limited, and nesting is not", () => {
  const fields = Array.from({ length: 500 }, (_, i) => `"f${i}":1`).join();
  assert.is(scan(`{${fields}}`).otherFields.length, 100);
  const numbers = `{"events":[${"1e400,".repeat(500)}1]}`;
  assert.is(scan(numbers).lossyNumbers.length, 200);
  const deep = `${"[".repeat(300_000)}${"]".repeat(300_000)}`;
  assert.is(scan(deep).malformed, undefined);
  assert.match(scan("[".repeat(300_000)).malformed ?? "", /ends where/);
});

test.run();
