import { BATCH_EVENTS_MAX } from "../../../core/command/decode_batch.ts";
import { IDENTIFIER_LENGTH_MAX } from "../../../core/event/identifier.ts";
import { EVENT_BYTES_MAX, EVENT_TYPE_PATTERN, type EventRules } from "../../../core/event/rules.ts";
import { JSON_DEPTH_MAX } from "../../../core/json/storable.ts";
import { type JsonSchema, schemaRef } from "./json_schema.ts";

/**
 * The schema of the body of `POST /events`. Events are decoded by hand, for speed
 * (`core/event/decode.ts`), so it repeats their rules; a test compares the two in both directions.
 * Descriptions state what JSON Schema cannot express.
 */

const LONE_SURROGATES = "\\ud800-\\udfff";
const CONTROL_CHARACTERS = "\\u0000-\\u001f\\u007f-\\u009f";

/** Patterns have the flag `u`: a surrogate pair is one character. */
const ALLOWED = `[^${CONTROL_CHARACTERS}${LONE_SURROGATES}]`;
const ALLOWED_BUT_DOT = `[^.${CONTROL_CHARACTERS}${LONE_SURROGATES}]`;
const IDENTIFIER_PATTERN = `^${ALLOWED}+$`;

/** Neither `.` nor `..`. Without look-ahead, which some client generators do not support. */
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

/** The schema of `account_id`, also in paths. */
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
    `When it happened: ISO 8601 with an offset, on a day that exists. It is stored in UTC; digits beyond milliseconds are ` +
    `dropped. At most ${futureMaxMs / 1_000} seconds ahead of the service's clock and ${ageMaxMs / DAY_MS} days behind it.`,
});

/** The schemas of batches and events by name, under the rules in force. */
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
    description: `Something that a user of an account did. At most ${EVENT_BYTES_MAX} bytes of JSON, without repeated fields.`,
    additionalProperties: false,
    required: ["event_id", "account_id", "user_id", "type", "timestamp"],
    properties: {
      event_id: identifier(
        "Chosen by the sender. The same event again is a duplicate; the same ID with a different payload is a conflict.",
      ),
      account_id: {
        ...ACCOUNT_ID_SCHEMA,
        description: "The account that it counts for; not `.` or `..`, which cannot be in a URL.",
      },
      user_id: identifier("Who did it."),
      type: typeSchema(rules),
      timestamp: timestampSchema(rules),
      // An open schema with its rules in words, because client generators fail on recursive
      // schemas.
      metadata: {
        type: "object",
        additionalProperties: true,
        description:
          `Any further data, nested at most ${JSON_DEPTH_MAX} levels deep. It must be storable unchanged: no \`\\u0000\` or ` +
          "unpaired surrogate in a key or a string, no number that loses precision (`1e400`, `9007199254740993`) or its sign " +
          "(`-0`), no key `__proto__`, and no repeated key in an object.",
      },
    },
  },
});
