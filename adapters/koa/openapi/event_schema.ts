import { BATCH_EVENTS_MAX } from "../../../core/command/decode_batch.ts";
import { IDENTIFIER_LENGTH_MAX } from "../../../core/event/identifier.ts";
import { EVENT_BYTES_MAX, type EventRules } from "../../../core/event/rules.ts";
import { EVENT_TYPE_PATTERN } from "../../../core/event/types.ts";
import { JSON_DEPTH_MAX } from "../../../core/json/storable.ts";
import { type JsonSchema, schemaRef } from "./json_schema.ts";

/**
 * What a client may send. Events are decoded by hand, for speed (`core/event/decode.ts`), so this says the
 * same once more, and a test holds the two against each other in both directions. What JSON Schema
 * cannot say is said in words.
 */

const LONE_SURROGATES = "\\ud800-\\udfff";
const CONTROL_CHARACTERS = "\\u0000-\\u001f\\u007f-\\u009f";

/** Patterns are with the flag `u`, so that a surrogate pair is one character. */
const ALLOWED = `[^${CONTROL_CHARACTERS}${LONE_SURROGATES}]`;
const ALLOWED_BUT_DOT = `[^.${CONTROL_CHARACTERS}${LONE_SURROGATES}]`;
const IDENTIFIER_PATTERN = `^${ALLOWED}+$`;

/** Neither `.` nor `..`; without a look-ahead, which not every generator's engine of patterns has. */
const ACCOUNT_ID_PATTERN = `^(?:\\.?${ALLOWED_BUT_DOT}${ALLOWED}*|\\.\\.${ALLOWED}+)$`;

const TIMESTAMP_PATTERN =
  "^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])" +
  "[Tt]([01]\\d|2[0-3]):[0-5]\\d(:[0-5]\\d([.,]\\d{1,9})?)?" +
  "([Zz]|[+\\-]([01]\\d|2[0-3]):?[0-5]\\d)$";

const identifier = (description: string): JsonSchema => ({
  type: "string",
  minLength: 1,
  maxLength: IDENTIFIER_LENGTH_MAX,
  pattern: IDENTIFIER_PATTERN,
  description,
});

/** The schema of `account_id`, also where it stands in a path. */
export const ACCOUNT_ID_SCHEMA: JsonSchema = {
  type: "string",
  minLength: 1,
  maxLength: IDENTIFIER_LENGTH_MAX,
  pattern: ACCOUNT_ID_PATTERN,
};

const typeSchema = ({ types }: EventRules): JsonSchema =>
  types === "*"
    ? { type: "string", pattern: EVENT_TYPE_PATTERN.source }
    : { type: "string", enum: [...types] };

const DAY_MS = 86_400_000;

const timestampSchema = ({ futureMaxMs, ageMaxMs }: EventRules): JsonSchema => ({
  type: "string",
  format: "date-time",
  pattern: TIMESTAMP_PATTERN,
  description:
    `When it happened: ISO 8601 with an offset, of a day that there is. It is kept in UTC and to the millisecond: digits ` +
    `beyond that are dropped. At most ${futureMaxMs / 1_000} seconds ahead ` +
    `of the service's clock and ${ageMaxMs / DAY_MS} days behind it.`,
});

/** The schemas of what `POST /events` takes, by name, under the rules in force. */
export const eventSchemas = (rules: EventRules): Readonly<Record<string, JsonSchema>> => ({
  Batch: {
    type: "object",
    additionalProperties: false,
    required: ["events"],
    properties: {
      events: {
        type: "array",
        minItems: 1,
        maxItems: BATCH_EVENTS_MAX,
        items: schemaRef("Event"),
      },
    },
  },
  Event: {
    type: "object",
    description: `One thing that a user of an account did; at most ${EVENT_BYTES_MAX} bytes as JSON, and each field once.`,
    additionalProperties: false,
    required: ["event_id", "account_id", "user_id", "type", "timestamp"],
    properties: {
      event_id: identifier(
        "Chosen by the sender. The same event again is a duplicate; the same id with another payload a conflict.",
      ),
      account_id: {
        ...ACCOUNT_ID_SCHEMA,
        description: "The account that it counts for; not `.` or `..`, which no URL can name.",
      },
      user_id: identifier("Who did it."),
      type: typeSchema(rules),
      timestamp: timestampSchema(rules),
      // Open, and its rules in words: generators of clients give up on a schema that refers to itself.
      metadata: {
        type: "object",
        additionalProperties: true,
        description:
          `Whatever else there is to say, nested at most ${JSON_DEPTH_MAX} levels deep. At every level it must be such as ` +
          "can be stored unchanged: no `\\u0000` and no half of a surrogate pair in a key or a text, no number that loses " +
          "value (`1e400`, `9007199254740993`) or its sign (`-0`), no key `__proto__`, and no key twice in an object.",
      },
    },
  },
});
