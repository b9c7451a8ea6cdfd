import { Predicate } from "effect";

import { present } from "../invariant.ts";
import { canonicalJson } from "../json/canonical.ts";
import { repeatedKey } from "../json/repeated_key.ts";
import { countStorable } from "../json/storable.ts";
import { utf8Length } from "../utf8.ts";
import { type Event, fingerprintOf } from "./event.ts";
import { accountIdProblem, identifierProblem } from "./identifier.ts";
import { EVENT_BYTES_MAX, type EventRules, typeProblem } from "./rules.ts";
import { formatTimestamp, parseTimestamp } from "./timestamp.ts";

/** One problem with one event, in words that help its sender to fix it. */
export interface Issue {
  /** The index of the event in the batch; null if the problem is with the batch as a whole. */
  readonly index: number | null;
  /** The field, such as `timestamp` or `metadata.tags[2]`; empty for the event as a whole. */
  readonly path: string;
  readonly message: string;
}

/** The JSON texts of the events of a batch, to find what `JSON.parse` drops. */
export interface SentTexts {
  /** How many values and keys the text of an event contains. */
  readonly tokensOf: (index: number) => number;
  /** The text itself. Only read if the event is refused. */
  readonly textOf: (index: number) => string;
}

const FIELDS = ["event_id", "account_id", "user_id", "type", "timestamp", "metadata"] as const;
const KNOWN_FIELDS: ReadonlySet<string> = new Set(FIELDS);

/**
 * Decodes one event as sent (parsed JSON, snake_case), or adds all of its problems to `issues` and returns
 * undefined.
 *
 * @param now the service's clock, in milliseconds since the Unix epoch
 * @param sent the texts of the batch; without them, repeated keys are not detected
 */
export const decodeEvent = (
  input: unknown,
  index: number,
  rules: EventRules,
  now: number,
  issues: Issue[],
  sent?: SentTexts,
): Event | undefined => {
  if (!Predicate.isObject(input) || Array.isArray(input)) {
    issues.push({ index, path: "", message: "must be an object" });
    return undefined;
  }
  const issuesBefore = issues.length;
  const report = (path: string, message: string): void => {
    issues.push({ index, path, message });
  };

  const raw = input as Readonly<Record<string, unknown>>;
  const accountId = readIdentifier(raw, "account_id", accountIdProblem, report);
  const eventId = readIdentifier(raw, "event_id", identifierProblem, report);
  const userId = readIdentifier(raw, "user_id", identifierProblem, report);
  const type = readType(raw, rules, report);
  const occurredAt = readTimestamp(raw, rules, now, report);
  const metadata = raw["metadata"];
  const metadataTokens = metadata === undefined ? 0 : readMetadata(metadata, report);
  // If all required fields are there, the number of fields shows whether there are unknown ones.
  const isWhole = issues.length === issuesBefore;
  if (!isWhole || fieldsOf(raw) !== REQUIRED_FIELDS + (metadata === undefined ? 0 : 1)) {
    reportUnknownFields(raw, report);
    if (issues.length > issuesBefore) return undefined;
  }
  // `JSON.parse` keeps only the last value of a repeated key, so there are fewer values than were sent.
  const tokens = REQUIRED_TOKENS + (metadata === undefined ? 0 : 1 + metadataTokens);
  if (sent !== undefined && sent.tokensOf(index) !== tokens) {
    const key = present(
      repeatedKey(sent.textOf(index)),
      "values are missing, but no key is repeated",
    );
    report(shortened(key), REPEATED);
    return undefined;
  }

  const metadataText = metadata === undefined ? null : JSON.stringify(metadata);
  if (metadataText !== null && tooLarge(raw, metadataText)) {
    report("", EVENT_TOO_LARGE);
    return undefined;
  }
  const canonical = metadataText === null ? "" : canonicalJson(metadata, metadataText);
  const fingerprint = fingerprintOf({ userId, type, occurredAt }, canonical);
  return { accountId, eventId, userId, type, occurredAt, metadata: metadataText, fingerprint };
};

type Raw = Readonly<Record<string, unknown>>;
type Report = (path: string, message: string) => void;

/** All fields but `metadata`. */
const REQUIRED_FIELDS = FIELDS.length - 1;

/** The event itself, and a key and a value for each of these fields. */
const REQUIRED_TOKENS = 1 + 2 * REQUIRED_FIELDS;

const fieldsOf = (raw: Raw): number => {
  let fields = 0;
  for (const _ in raw) fields++;
  return fields;
};

const reportUnknownFields = (raw: Raw, report: Report): void => {
  for (const field in raw) {
    if (!KNOWN_FIELDS.has(field)) {
      report(shortened(field), `is not a field of an event; the fields are ${FIELDS.join(", ")}`);
    }
  }
};

// After reporting a problem, each reader returns a placeholder; the caller then drops the event.

const readIdentifier = (
  raw: Raw,
  field: string,
  problemOf: typeof identifierProblem,
  report: Report,
): string => {
  const value = raw[field];
  const problem = value === undefined ? MISSING : problemOf(value);
  if (problem === undefined) return value as string;
  report(field, problem);
  return "";
};

const readType = (raw: Raw, rules: EventRules, report: Report): string => {
  const problem = raw["type"] === undefined ? MISSING : typeProblem(raw["type"], rules.types);
  if (problem === undefined) return raw["type"] as string;
  report("type", problem);
  return "";
};

const readTimestamp = (raw: Raw, rules: EventRules, now: number, report: Report): number => {
  const value = raw["timestamp"];
  const occurredAt = typeof value === "string" ? parseTimestamp(value) : undefined;
  if (occurredAt === undefined) {
    report("timestamp", value === undefined ? MISSING : NOT_A_TIMESTAMP);
    return 0;
  }
  const earliest = now - rules.ageMaxMs;
  const latest = now + rules.futureMaxMs;
  if (occurredAt < earliest) {
    report("timestamp", `is too old: must not be before ${formatTimestamp(earliest)}`);
  } else if (occurredAt > latest) {
    report("timestamp", `is in the future: must not be after ${formatTimestamp(latest)}`);
  }
  return occurredAt;
};

/** Returns how many values and keys the metadata contains. */
const readMetadata = (value: unknown, report: Report): number => {
  if (!Predicate.isObject(value) || Array.isArray(value)) {
    report("metadata", "must be an object; omit it if there is none");
    return 0;
  }
  const found = countStorable(value, "metadata");
  if (typeof found === "number") return found;
  report(shortened(found.path), found.message);
  return 0;
};

const MISSING = "is missing";

/** The problem of a key that an object has more than once. */
export const REPEATED = "must be given once";

const NOT_A_TIMESTAMP =
  "must be an ISO 8601 timestamp with an offset, such as 2026-01-31T09:30:00.000Z or 2026-01-31T10:30:00+01:00, " +
  "and its date and time must exist (no hour 24, no second 60)";

/** A path contains keys of the sender, which can be long; an error message should not be. */
const PATH_LENGTH_MAX = 200;

const shortened = (path: string): string =>
  path.length <= PATH_LENGTH_MAX
    ? path.toWellFormed()
    : `${path.slice(0, PATH_LENGTH_MAX).toWellFormed()}…`;

/** The problem of an event of more than `EVENT_BYTES_MAX` bytes. */
export const EVENT_TOO_LARGE = `must be at most ${EVENT_BYTES_MAX} bytes as JSON`;

// The length of identifiers is limited, so only metadata can make an event too large.
const METADATA_LENGTH_SURELY_FITS = EVENT_BYTES_MAX / 8;

const tooLarge = (raw: Raw, metadata: string): boolean => {
  if (metadata.length <= METADATA_LENGTH_SURELY_FITS) return false;
  if (metadata.length > EVENT_BYTES_MAX) return true;
  // The length of the whole event, without writing its metadata a second time.
  const withoutMetadata = utf8Length(JSON.stringify({ ...raw, metadata: 0 })) - 1;
  return withoutMetadata + utf8Length(metadata) > EVENT_BYTES_MAX;
};
