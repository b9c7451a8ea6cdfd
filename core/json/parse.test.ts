import { Result } from "effect";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { lossyNumber } from "./lossy_number.ts";
import { parseJson } from "./parse.ts";

const test = suite("parseJson");

const parsed = (text: string): unknown => Result.getOrThrow(parseJson(text));

/** What stands for a number that loses value: how it was written, as `lossyNumber` finds it. */
const lossyIn = (value: unknown): string | undefined =>
  typeof value === "string" ? lossyNumber(value) : undefined;

test("any value that JavaScript can hold is parsed as JSON.parse parses it", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t"), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      assert.equal(parsed(text), JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test("any number that JavaScript can print is parsed as that number", () => {
  const double = fc.oneof(
    fc.double({ noDefaultInfinity: true, noNaN: true }),
    fc.maxSafeInteger(),
    fc.constantFrom(0, 5e-324, 2 ** 53, 2 ** 60, 1e21, 1e23, 2.2250738585072014e-308, 0.1 + 0.2),
    fc.constant(Number.MAX_VALUE),
  );
  fc.assert(
    fc.property(double, (number) => {
      const text = String(number);
      assert.is(parsed(text), Number(text));
      assert.equal(parsed(`{"n":[${text}, -${Math.abs(number)}]}`), {
        n: [Number(text), -Math.abs(number)],
      });
    }),
    { numRuns: 500 },
  );
});

test("a number that would lose value is marked with how it was written, wherever it stands", () => {
  for (const number of [
    "1e400",
    "-1E+400",
    "1e-400",
    "1.5e400",
    "-1.5E-400",
    "9007199254740993",
    "-9007199254740993",
    "123456789012345678901234567890",
    "0.1234567890123456789",
    "1.7976931348623159e308",
  ]) {
    assert.is(lossyIn(parsed(number)), number);
    assert.is(lossyIn(parsed(` \n${number}\t`)), number);
    const { a, b } = parsed(`{"a":${number},"b":[1,${number} ,${number}]}`) as {
      a: unknown;
      b: unknown[];
    };
    assert.equal([a, ...b].map(lossyIn), [number, undefined, number, number]);
  }
});

test("a number of another spelling whose value survives is that number", () => {
  for (const [text, number] of [
    ["1.50", 1.5],
    ["1e3", 1000],
    ["1E3", 1000],
    ["1.5e+3", 1500],
    ["100e-2", 1],
    ["-0", -0],
    ["-0.0e5", -0],
    ["0e400", 0],
    ["9007199254740992", 2 ** 53],
    ["9007199254740992.000", 2 ** 53],
    ["0.1000000000000000000000", 0.1],
    ["10000000000000000000000000", 1e25],
    ["1.7976931348623157e308", Number.MAX_VALUE],
  ] as const) {
    assert.ok(Object.is(parsed(text), number), text);
    assert.equal(parsed(`[${text}]`), [number]);
  }
});

test("digits inside of strings and keys stay as they are beside a number that loses value", () => {
  const strings = [
    "9007199254740993",
    "1e400",
    ":1e400",
    ',9007199254740993,"',
    '\\"1e400\\',
    "\\",
    '"',
    "\u2028 1e400\n",
    "7e444840-9dc0-11d1-b245-5ffdce74fad2",
    "123e4567-e89b-12d3-a456-426614174000",
    "[1e400]",
    "",
    "ü😀 1e400",
  ];
  const members = strings.map((text) => [text, text] as const);
  const text = `{"n":1e400,${JSON.stringify(Object.fromEntries(members)).slice(1)}`;
  const { n, ...rest } = parsed(text) as Record<string, unknown>;
  assert.is(lossyIn(n), "1e400");
  assert.equal(rest, Object.fromEntries(members));
});

test("any value beside a number that loses value stays as it is", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.boolean(), (value, indented) => {
      const text = JSON.stringify(value, undefined, indented ? 2 : undefined);
      const [first, second, third] = parsed(`[1e400,${text},1e-400]`) as unknown[];
      assert.equal([lossyIn(first), lossyIn(third)], ["1e400", "1e-400"]);
      assert.equal(second, JSON.parse(text));
    }),
    { numRuns: 300 },
  );
});

test("a string that was sent with the mark's own character is still a string with that character", () => {
  const value = parsed('["\\u0000number:5",1e400]') as unknown[];
  assert.is(value[0], "\u0000number:5");
});

test("what is not JSON is malformed, in the words of the runtime", () => {
  for (const text of [
    "",
    " ",
    "{",
    '{"a":}',
    "[1,]",
    "{'a':1}",
    "NaN",
    "Infinity",
    "01",
    "1.",
    ".5",
    "+1",
    "1e",
    "0x10",
    '"a',
    '"\n"',
    '"\\x41"',
    "1e400 1e400",
    "[1e400",
    '{"a":1e400,}',
    "\ufeff{}",
    "undefined",
  ]) {
    const result = parseJson(text);
    if (Result.isSuccess(result)) throw new Error(`${JSON.stringify(text)} was parsed`);
    assert.is(result.failure._tag, "JsonMalformed");
    assert.ok(result.failure.message.length > 0);
  }
});

test("a __proto__ key is a key like any other", () => {
  const value = parsed('{"__proto__":{"polluted":true},"n":1e400}') as object;
  assert.equal(Object.keys(value), ["__proto__", "n"]);
  assert.is(Object.getPrototypeOf(value), Object.prototype);
  assert.is(({} as Record<string, unknown>)["polluted"], undefined);
});

// Each of these took minutes, or all of the stack, with an expression that backtracks.
test("bodies of a megabyte made to be slow are parsed at once", () => {
  const mebi = 1_048_576;
  const zeros = `[0.1${"0".repeat(mebi)}1]`;
  assert.is((lossyIn((parsed(zeros) as unknown[])[0]) ?? "").length, mebi + 4);
  for (const filler of ["x", '\\"', "\\\\", "é", " 1e400", "9"]) {
    const text = `["${filler.repeat(Math.floor(mebi / filler.length))}",1e400]`;
    const [long, number] = parsed(text) as unknown[];
    assert.is(long, (JSON.parse(text) as unknown[])[0]);
    assert.is(lossyIn(number), "1e400");
  }
  assert.is((parsed(`[${"1e1,".repeat(mebi / 4)}1e400]`) as unknown[]).length, mebi / 4 + 1);
});

test.run();
