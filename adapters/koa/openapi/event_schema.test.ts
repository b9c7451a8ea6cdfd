import { Effect, Result } from "effect";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { decodeBatch } from "../../../core/command/decode_batch.ts";
import { sentBody } from "../../../core/command/sent_body.fixture.ts";
import { rulesWith } from "../../../core/event/decode.fixture.ts";
import { EVENT_RULES_DEFAULT, type EventRules } from "../../../core/event/rules.ts";
import { fitting, mutate, mutation } from "./arbitrary.fixture.ts";
import { makeContract } from "./contract.fixture.ts";
import { openApiDocument } from "./document.ts";
import { eventSchemas } from "./event_schema.ts";

const test = suite("eventSchemas");

const NOW = Date.UTC(2026, 0, 31, 12);

const RULES: ReadonlyArray<EventRules> = [
  EVENT_RULES_DEFAULT,
  rulesWith({ types: "*" }),
  rulesWith({ types: new Set(["order.placed", "x"]) }),
];

/** Why the service's parser and decoder refuse a body: where, and what. */
const refusal = (text: string, rules: EventRules): ReadonlyArray<string> => {
  const decoding = decodeBatch(Buffer.from(text), rules, NOW);
  const decoded = Effect.runSync(Effect.result(decoding));
  if (Result.isSuccess(decoded)) return [];
  const { failure } = decoded;
  return "issues" in failure
    ? failure.issues.map(({ path, message }) => `${path} ${message}`)
    : [failure._tag];
};

/** Messages of the decoder for rules that only descriptions in the schema state. */
const IN_WORDS = [
  /^timestamp is too old: must not be before /,
  /^timestamp is in the future: must not be after /,
  /^ must be at most 32768 bytes as JSON$/,
  // An open object allows anything at any level.
  /^metadata[^]* must not nest deeper than 32 levels$/,
  /^metadata[^]* is the number .*, which would lose (?:value|its sign)/,
  // Only the last of repeated values reaches the schema.
  /^(?:event_id|account_id|user_id|type|timestamp|metadata[^]*) must be given once$/,
  /^metadata[^]* (?:has a key that )?must not contain (?:\\u0000|a lone surrogate)/,
  /^metadata[^]* has a key that must not be "__proto__"$/,
];

/** Whether a well-formed timestamp is on a day that does not exist, or before the year 100. */
const isNoDay = (timestamp: string): boolean => {
  const day = timestamp.slice(0, 10);
  const date = new Date(`${day}T00:00:00Z`);
  return Number.isNaN(date.getTime()) || date.toISOString().slice(0, 10) !== day || day < "0100";
};

/** Whether a body that fits the schema may be refused for this reason. */
const isInWords = (reason: string, body: unknown): boolean =>
  reason.startsWith("timestamp must be an ISO 8601 timestamp")
    ? (body as Body).events.some(({ timestamp }) => isNoDay(timestamp))
    : IN_WORDS.some((words) => words.test(reason));

interface Body {
  readonly events: ReadonlyArray<{ readonly timestamp: string }>;
}

for (const rules of RULES) {
  const types = rules.types === "*" ? "*" : [...rules.types].join(", ");
  const schemas = eventSchemas(rules);
  const { misfit } = makeContract(openApiDocument(rules));
  const batch = schemas["Batch"] ?? {};
  const fits = fitting(batch, schemas, NOW);

  test(`events that fit the schema are accepted (types ${types})`, () => {
    fc.assert(
      fc.property(fits, (body) => {
        assert.is(misfit(batch, body), undefined, "the generated body fits the schema");
        assert.equal(refusal(JSON.stringify(body), rules), []);
      }),
      { numRuns: 400 },
    );
  });

  test(`as many events fit the schema as are accepted (types ${types})`, () => {
    const [event] = fc.sample(fitting(schemas["Event"] ?? {}, schemas, NOW), {
      numRuns: 1,
      seed: 1,
    });
    for (const [length, fit] of [
      [0, false],
      [1, true],
      [1_000, true],
      [1_001, false],
    ] as const) {
      const body = { events: Array.from({ length }, () => event) };
      assert.is(misfit(batch, body) === undefined, fit, String(length));
      assert.is(refusal(JSON.stringify(body), rules).length === 0, fit, String(length));
    }
  });

  test(`accepted events fit the schema; refused ones do not, unless only a description excludes them (types ${types})`, () => {
    const outcomes = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(fits, fc.array(mutation, { minLength: 1, maxLength: 3 }), (sent, mutations) => {
        const text = JSON.stringify(mutations.reduce(mutate, sent)) ?? "null";
        const reasons = refusal(text, rules);
        const body = JSON.parse(text) as unknown;
        const wrong = misfit(batch, body);
        outcomes[reasons.length === 0 ? "accepted" : "refused"]++;
        if (reasons.length === 0) assert.is(wrong, undefined, text);
        else if (wrong === undefined) {
          const inWords = reasons.some((reason) => isInWords(reason, body));
          assert.ok(inWords, `fits the schema and is refused: ${reasons.join(", ")}: ${text}`);
        }
      }),
      { numRuns: 2_000 },
    );
    assert.ok(outcomes.accepted > 100 && outcomes.refused > 500, JSON.stringify(outcomes));
  });
}

test("bodies in any spelling that fit the schema are accepted, unless a description excludes them", () => {
  const { misfit } = makeContract(openApiDocument(EVENT_RULES_DEFAULT));
  const batch = eventSchemas(EVENT_RULES_DEFAULT)["Batch"] ?? {};
  const reasonsSeen = new Set<string>();
  fc.assert(
    fc.property(sentBody(NOW, 4), (text) => {
      const reasons = refusal(text, EVENT_RULES_DEFAULT);
      const body = JSON.parse(text) as unknown;
      const wrong = misfit(batch, body);
      if (reasons.length === 0) assert.is(wrong, undefined, text);
      else if (wrong === undefined) {
        const inWords = reasons.find((reason) => isInWords(reason, body));
        assert.ok(inWords, `fits the schema and is refused: ${reasons.join(", ")}: ${text}`);
        for (const what of ["once", "its sign", "value;"]) {
          if (reasons.some((reason) => reason.includes(what))) reasonsSeen.add(what);
        }
      }
    }),
    { numRuns: 1_000 },
  );
  assert.is(reasonsSeen.size, 3, [...reasonsSeen].join());
});

test.run();
