import { Result } from "effect";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { NOW } from "../event/decode.fixture.ts";
import type { Event } from "../event/event.ts";
import { EVENT_RULES_DEFAULT } from "../event/rules.ts";
import { formatTimestamp } from "../event/timestamp.ts";
import { canonicalExactly, readExactly } from "../json/exact_json.fixture.ts";
import { encodeUtf8 } from "../utf8.fixture.ts";
import { decodeInSteps } from "./decode_batch.fixture.ts";
import { asGivenBack, eventsSentIn, lossesInEvent, sentBody } from "./sent_body.fixture.ts";

const test = suite("decodeBatch: as it was sent, or refused");

const decode = (text: string) => decodeInSteps(encodeUtf8(text), EVENT_RULES_DEFAULT, NOW)[0];

/** An event as the queue and the log store it, in the form that a client sends. */
const storedText = (event: Event): string => {
  const fields = {
    event_id: event.eventId,
    account_id: event.accountId,
    user_id: event.userId,
    type: event.type,
    timestamp: formatTimestamp(event.occurredAt),
  };
  const text = JSON.stringify(fields);
  return event.metadata === null ? text : `${text.slice(0, -1)},"metadata":${event.metadata}}`;
};

test("an accepted batch contains every key and value that was sent; anything else is refused with its path", () => {
  const outcomes = { accepted: 0, refused: 0 };
  fc.assert(
    fc.property(sentBody(NOW, 5), (text) => {
      const sent = eventsSentIn(text);
      const losses = sent.map(lossesInEvent);
      const result = decode(text);
      if (Result.isSuccess(result)) {
        outcomes.accepted++;
        assert.equal(losses.flat(), [], text);
        assert.equal(
          result.success.events.map((event) => canonicalExactly(readExactly(storedText(event)))),
          sent.map((event) => canonicalExactly(asGivenBack(event))),
        );
        return;
      }
      outcomes.refused++;
      const { failure } = result;
      if (failure._tag !== "EventInvalid") throw new Error(`${failure._tag}: ${text}`);
      const refused = new Set(failure.issues.map(({ index }) => index));
      assert.equal(
        [...refused],
        [...losses.keys()].filter((i) => losses[i]?.length !== 0),
        text,
      );
      for (const { index, path, message } of failure.issues) {
        const places = losses[index ?? -1] ?? [];
        const isNamed = places.map((place) => place.toWellFormed()).includes(path);
        assert.ok(isNamed, `${path} ${message}, of ${JSON.stringify(places)}: ${text}`);
      }
    }),
    { numRuns: 3_000 },
  );
  assert.ok(outcomes.accepted > 500 && outcomes.refused > 500, JSON.stringify(outcomes));
});

/** Changes to a body as a whole, and the resulting message. */
const DAMAGES: ReadonlyArray<readonly [damage: (text: string) => string, said: RegExp]> = [
  ...[
    ['"events":[]', "events"],
    ['"\\u0065vents":1', "events"],
    ['"__proto__":{"events":[]}', "__proto__"],
    ['"":-0', ""],
    ['"Events":[]', "Events"],
  ].flatMap(([member = "", path = ""]) => [
    [
      (text: string) => text.replace(/\}(\s*)$/, () => `,${member}}`),
      new RegExp(`^${path}: `),
    ] as const,
    [(text: string) => text.replace("{", () => `{${member},`), new RegExp(`^${path}: `)] as const,
  ]),
  ...["{}", "null", "x", "\u0000", "]", ",", "\u00a0", "\ufeff"].map(
    (behind) =>
      [(text: string) => text + behind, /Expected the end of the body .* at byte /] as const,
  ),
  [(text) => `\ufeff${text}`, /starts with a byte order mark/],
  [(text) => `[${text}]`, /^: must be an object/],
  [(text) => text.slice(0, -1), /ends .* at byte /],
];

test("anything wrong around the events is refused with its path", () => {
  const body = sentBody(NOW, 3).map((text) => text.trimEnd());
  fc.assert(
    fc.property(body, fc.constantFrom(...DAMAGES), (text, [damage, said]) => {
      const result = decode(damage(text));
      if (Result.isSuccess(result)) throw new Error(`accepted: ${damage(text)}`);
      const { failure } = result;
      const reasons =
        "issues" in failure
          ? failure.issues.map(({ path, message }) => `${path}: ${message}`)
          : [failure.message];
      assert.ok(
        reasons.some((reason) => said.test(reason)),
        `${reasons.join(", ")}: ${damage(text)}`,
      );
    }),
    { numRuns: 500 },
  );
});

test.run();
