import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { unicodeText } from "../event/text.fixture.ts";
import { LOSSY_NUMBER_MARK } from "./lossy_number.ts";
import { countStorable, JSON_DEPTH_MAX, type StorableProblem } from "./storable.ts";

const test = suite("countStorable");

const storableProblem = (value: unknown, path: string): StorableProblem | undefined => {
  const found = countStorable(value, path);
  return typeof found === "number" ? undefined : found;
};

const assertProblem = (value: unknown, path: string, message: RegExp): void => {
  const problem = storableProblem(value, "metadata");
  assert.is(problem?.path, path);
  assert.match(problem?.message ?? "", message);
};

/** Alternating arrays and objects, nested this deep. */
const nested = (depth: number, innermost: unknown): unknown => {
  let value = innermost;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
};

test("any value without NUL, lone surrogates and __proto__ can be stored", () => {
  const value = fc
    .dictionary(unicodeText(), fc.oneof(unicodeText(), fc.jsonValue({ maxDepth: 6 })))
    .filter((drawn) => !/\\u0000|__proto__/.test(JSON.stringify(drawn)));
  fc.assert(
    fc.property(value, (drawn) => {
      assert.is(storableProblem(drawn, "metadata"), undefined);
    }),
    { numRuns: 500 },
  );
});

test("every value and every key of a storable value is counted", () => {
  for (const [json, count] of [
    ["0", 1],
    ['"text"', 1],
    ["null", 1],
    ["[]", 1],
    ["{}", 1],
    ["[1,[true,null],{}]", 6],
    ['{"a":1,"b":{"c":[]}}', 7],
  ] as const) {
    assert.is(countStorable(JSON.parse(json), "metadata"), count, json);
  }
});

test("a negative zero is refused with what to send instead", () => {
  for (const zero of ["-0", "-0.00", "-0e5"]) {
    const message = `is the number ${zero}, which would lose its sign; send 0 or a string`;
    assertProblem({ a: [LOSSY_NUMBER_MARK + zero] }, "metadata.a[0]", new RegExp(message));
  }
  assertProblem([`${LOSSY_NUMBER_MARK}-0e-400`], "metadata[0]", /lose its sign/);
  assertProblem([`${LOSSY_NUMBER_MARK}-0.1e-400`], "metadata[0]", /lose value/);
});

test("a string that cannot be stored is found in any value, with its path", () => {
  const clean = fc.jsonValue().filter((drawn) => !JSON.stringify(drawn).includes("__proto__"));
  const bad = fc.constantFrom(
    "\u0000",
    "a\u0000",
    "\ud800",
    "\udc00b",
    `${LOSSY_NUMBER_MARK}1e400`,
  );
  const wrappers = fc.array(fc.oneof(fc.constantFrom("a", "b c", "ü"), fc.nat({ max: 3 })), {
    maxLength: JSON_DEPTH_MAX,
  });
  fc.assert(
    fc.property(clean, bad, wrappers, (beside, text, steps) => {
      let value: unknown = text;
      for (const step of steps.toReversed()) {
        if (typeof step === "string") value = { [step]: value };
        else value = [...Array.from({ length: step }, () => 0), value, beside];
      }
      const path = steps.map((step) => (typeof step === "string" ? `.${step}` : `[${step}]`));
      assert.is(storableProblem(value, "metadata")?.path, `metadata${path.join("")}`);
    }),
    { numRuns: 500 },
  );
});

test("each problem has its own message", () => {
  assertProblem({ a: "x\u0000" }, "metadata.a", /^must not contain \\u0000$/);
  assertProblem({ a: ["\ud83d"] }, "metadata.a[0]", /lone surrogate/);
  assertProblem({ "a\u0000": 1 }, "metadata", /^has a key that must not contain \\u0000$/);
  assertProblem({ a: { "\ude00": 1 } }, "metadata.a", /^has a key that .*lone surrogate/);
  assertProblem(JSON.parse('{"a":[{"__proto__":1}]}'), "metadata.a[0]", /key .*"__proto__"/);
  assertProblem(
    { a: `${LOSSY_NUMBER_MARK}1e400` },
    "metadata.a",
    /^is the number 1e400, which would lose value; send it as a string$/,
  );
});

test("a number of a thousand digits is shortened in the message", () => {
  const problem = storableProblem(`${LOSSY_NUMBER_MARK}${"9".repeat(1_000)}`, "metadata");
  assert.ok((problem?.message.length ?? 0) < 120);
});

test("the first problem is reported", () => {
  assertProblem({ a: 1, b: "\u0000", c: "\ud800" }, "metadata.b", /\\u0000/);
});

test("values may nest 32 deep and not 33, including empty ones", () => {
  for (const innermost of [1, "text", null]) {
    assert.is(storableProblem(nested(JSON_DEPTH_MAX, innermost), "metadata"), undefined);
    const problem = storableProblem(nested(JSON_DEPTH_MAX + 1, innermost), "metadata");
    assert.match(problem?.message ?? "", /deeper than 32/);
  }
  assert.is(storableProblem(nested(JSON_DEPTH_MAX - 1, []), "metadata"), undefined);
  for (const empty of [[], {}]) {
    assert.ok(storableProblem(nested(JSON_DEPTH_MAX, empty), "metadata"));
  }
});

test("the recursion goes no deeper than that", () => {
  assert.match(storableProblem(nested(1_000_000, 1), "metadata")?.message ?? "", /deeper than 32/);
});

test("keys of Object.prototype other than __proto__ are ordinary keys", () => {
  const value = { constructor: 1, prototype: { toString: "x" }, hasOwnProperty: [] };
  assert.is(storableProblem(value, "metadata"), undefined);
});

test.run();
