import { Result } from "effect";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Batch } from "../event/batch.ts";
import { NOW, sentEvent } from "../event/decode.fixture.ts";
import { EVENT_RULES_DEFAULT } from "../event/rules.ts";
import { encodeUtf8 } from "../utf8.fixture.ts";
import { decodeInSteps, decodeWhole } from "./decode_batch.fixture.ts";

const test = suite("decodeBatch: any body");

const inSteps = (bytes: Uint8Array): Batch | string => {
  const [result] = decodeInSteps(bytes, EVENT_RULES_DEFAULT, NOW);
  if (Result.isSuccess(result)) return result.success;
  const { failure } = result;
  if (failure._tag !== "EventInvalid") return failure._tag;
  return failure.issues.map(({ index, path, message }) => `${index} ${path} ${message}`).join("\n");
};

/** Spellings of numbers and texts that JSON.stringify does not produce. */
const SPELLINGS = [
  "0",
  "-0",
  "-0.0e5",
  "1.50",
  "1e3",
  "-1E+2",
  "0.30000000000000004",
  "1e400",
  "9007199254740993",
  "-1e-400",
  "123456789012345678",
  '"\\u0000"',
  '"\\ud800"',
  '"\\ud83d\\ude00"',
  '"\\u0041"',
  '"ü€😀"',
  '"\\n\\"\\\\\\/"',
  "[]",
  "{}",
  "null",
  '{"__proto__":1}',
  '{"\\u005f_proto__":1}',
  '{"a":1,"a":2}',
  '[{"a":{"b":1,"\\u0062":[]}}]',
  '{"b":1,"a":{"d":1,"c":[{"z":1,"y":2}]}}',
  "[[[[1]]]]",
];

const spelling = fc.constantFrom(...SPELLINGS);

const event: fc.Arbitrary<string> = fc
  .record({
    fields: fc.array(
      fc.tuple(
        fc.constantFrom(
          "event_id",
          "user_id",
          "type",
          "timestamp",
          "metadata",
          "extra",
          "__proto__",
        ),
        spelling,
      ),
      { maxLength: 1 },
    ),
    metadata: fc.option(fc.tuple(fc.jsonValue({ maxDepth: 3 }), spelling)),
    id: fc.nat(5),
    indent: fc.constantFrom(undefined, 1),
    // Nearly all events are valid; otherwise no batch would ever be accepted.
    isOdd: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  })
  .map(({ fields, metadata, id, indent, isOdd }) => {
    const value = metadata === null ? undefined : { m: metadata[0], "@": "@" };
    const text = JSON.stringify(
      sentEvent({ event_id: `e${id}`, metadata: value }),
      undefined,
      indent,
    );
    const spelled = text.replace('"@"', '"s"').replace('"@"', () => metadata?.[1] ?? "0");
    if (!isOdd) return spelled;
    const more = fields.map(([name, to]) => `,${JSON.stringify(name)}:${to}`).join("");
    return `${spelled.slice(0, -1)}${more}}`;
  });

const body: fc.Arbitrary<string> = fc
  .record({
    events: fc.array(event, { maxLength: 6 }),
    space: fc.constantFrom("", " ", "\r\n\t"),
    name: fc.constantFrom("events", "events", "events", "\\u0065vents", "event"),
    more: fc.constantFrom("", "", "", "", ',"x":1e400', ',"__proto__":{}', ',"event":[[1]]'),
  })
  .map(({ events, space, name, more }) => {
    const list = `[${space}${events.join(`${space},${space}`)}${space}]`;
    return `${space}{${space}"${name}"${space}:${space}${list}${more}${space}}${space}`;
  });

const cut = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.constantFrom(0, 0, 1, 1, 2, 7),
  insert: fc.constantFrom(
    "",
    "",
    ...Array.from('{}[],:"\\-.e09 n\u0000'),
    "1e400",
    '"a":',
    "\ufeff",
    "ü",
    "\\u00",
  ),
});

type Cut = typeof cut extends fc.Arbitrary<infer C> ? C : never;

const cutIn = (bytes: Uint8Array, { at, remove, insert }: Cut): Uint8Array => {
  const from = Math.floor(at * bytes.length);
  return Uint8Array.from([
    ...bytes.subarray(0, from),
    ...encodeUtf8(insert),
    ...bytes.subarray(from + remove),
  ]);
};

test("decoding in steps gives the same result as decoding as a whole, down to each issue", () => {
  const outcomes = new Map<string, number>();
  fc.assert(
    fc.property(body, fc.array(cut, { maxLength: 2 }), (text, cuts) => {
      const bytes = cuts.reduce(cutIn, encodeUtf8(text));
      const result = inSteps(bytes);
      assert.equal(result, decodeWhole(bytes, EVENT_RULES_DEFAULT, NOW), text);
      const outcome =
        typeof result !== "string"
          ? "accepted"
          : (/^[A-Z]\w+$/.exec(result)?.[0] ?? "EventInvalid");
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }),
    { numRuns: 5_000 },
  );
  for (const outcome of [
    "accepted",
    "EventInvalid",
    "JsonMalformed",
    "BatchMalformed",
    "BatchEmpty",
  ]) {
    assert.ok((outcomes.get(outcome) ?? 0) > 50, `${outcome}: ${JSON.stringify([...outcomes])}`);
  }
});

test("decoding a large batch in many steps gives the same result as decoding it as a whole", () => {
  fc.assert(
    fc.property(
      fc.array(event, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 1_000 }),
      (some, count) => {
        const texts = Array.from({ length: count }, (_, i) => some[i % some.length] ?? "");
        const bytes = encodeUtf8(`{"events":[${texts.join()}]}`);
        assert.equal(inSteps(bytes), decodeWhole(bytes, EVENT_RULES_DEFAULT, NOW));
      },
    ),
    { numRuns: 60 },
  );
});

test.run();
