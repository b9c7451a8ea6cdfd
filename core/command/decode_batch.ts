import { Effect, Result } from "effect";

import { Client } from "../access/principal.ts";
import { type Batch, collapse } from "../event/batch.ts";
import {
  decodeEvent,
  EVENT_TOO_LARGE,
  type Issue,
  REPEATED,
  type SentTexts,
} from "../event/decode.ts";
import type { Event } from "../event/event.ts";
import { EVENT_BYTES_MAX, type EventRules } from "../event/rules.ts";
import { present } from "../invariant.ts";
import { makeElementScanner, type Scanned } from "../json/element_scanner.ts";
import { LOSSY_NUMBER_MARK } from "../json/lossy_number.ts";
import { type TurnRefused, Turns, type Work } from "../turns.ts";
import { decodeUtf8 } from "../utf8.ts";
import {
  BatchEmpty,
  BatchMalformed,
  type BatchRejected,
  BatchTooComplex,
  BatchTooLarge,
  EventInvalid,
  JsonMalformed,
} from "./errors.ts";

/** The most events in one request. */
export const BATCH_EVENTS_MAX = 1_000;

/** The most values and keys in one request. In the largest request that is four bytes for each; honest ones have more. */
export const BATCH_TOKENS_MAX = 262_144;

/** The most issues reported for one batch: enough to fix it, few enough to limit the answer. */
export const ISSUES_MAX = 100;

/** The most bytes of one event as sent, with white space and escapes. An escape takes at most six bytes for one. */
export const EVENT_SENT_BYTES_MAX = 8 * EVENT_BYTES_MAX;

/** Each value and each key but one takes at least two bytes, so an event with more is too large. */
const EVENT_TOKENS_MAX = EVENT_BYTES_MAX / 2;

// The work of one step: a fraction of a millisecond.
const SCAN_STEP_BYTES = 32_768;
const PARSE_STEP_BYTES = 16_384;

/**
 * Decodes the body of a request to the batch to queue, or rejects it as a whole. Works step by step, in the turns of the
 * client that this fiber works for.
 *
 * @param bytes the body, `{ "events": [Event, …] }` as JSON in UTF-8
 * @param now the service's clock, in milliseconds since the Unix epoch
 * @errors `BatchRejected` if the body is at fault, `TurnRefused` if there was no time for it
 */
export const decodeBatch = (
  bytes: Uint8Array,
  rules: EventRules,
  now: number,
): Effect.Effect<Batch, BatchRejected | TurnRefused> =>
  Effect.gen(function* () {
    const turns = yield* Turns;
    const client = yield* Client;
    return yield* Effect.flatMap(
      turns.run(client, batchDecoding(bytes, rules, now)),
      Effect.fromResult,
    );
  });

/** The decoding of a batch as work in many steps. Each is short, whatever the body is. */
export const batchDecoding = (
  bytes: Uint8Array,
  rules: EventRules,
  now: number,
): Work<Result.Result<Batch, BatchRejected>> => {
  const scanner = makeElementScanner(bytes, "events", {
    elementsMax: BATCH_EVENTS_MAX,
    tokensMax: BATCH_TOKENS_MAX,
    notesMax: ISSUES_MAX,
  });
  let scanned: Scanned | undefined;
  const issues: Issue[] = [];
  const events: Event[] = [];
  const sent: SentTexts = {
    tokensOf: (index) => present(scanned?.tokens[index], NOT_SCANNED),
    textOf: (index) =>
      decodeUtf8(
        bytes,
        present(scanned?.starts[index], NOT_SCANNED),
        present(scanned?.ends[index], NOT_SCANNED),
      ),
  };
  let next = 0;

  return () => {
    if (scanned === undefined) {
      scanned = scanner.advance(SCAN_STEP_BYTES);
      if (scanned === undefined) return undefined;
      const rejected = rejectionOf(scanned);
      if (rejected !== undefined) return Result.fail(rejected);
    }
    const { ends } = scanned;
    const end = endOfGroup(scanned, next);
    if (end === next) issues.push({ index: next++, path: "", message: tooLarge(scanned, end) });
    const inputs = parseElements(bytes, scanned, next, end);
    for (const input of inputs) {
      if (issues.length >= ISSUES_MAX) break;
      const event = decodeEvent(input, next++, rules, now, issues, sent);
      if (event !== undefined) events.push(event);
    }
    if (next < ends.length && issues.length < ISSUES_MAX) return undefined;
    if (issues.length === 0) return Result.succeed(collapse(events));
    return Result.fail(new EventInvalid({ issues: issues.slice(0, ISSUES_MAX) }));
  };
};

const NOT_SCANNED = "an event is decoded that was not scanned";

/** Why a batch is rejected before its events are decoded, if it is. */
const rejectionOf = (scanned: Scanned): BatchRejected | undefined => {
  const { malformed, exceeded, ends } = scanned;
  if (malformed !== undefined) return new JsonMalformed({ message: malformed });
  const envelope = envelopeIssues(scanned);
  if (envelope.length > 0) return new BatchMalformed({ issues: envelope });
  if (exceeded === "elements") return new BatchTooLarge();
  if (exceeded === "tokens") return new BatchTooComplex();
  return ends.length === 0 ? new BatchEmpty() : undefined;
};

const envelopeIssues = ({ root, field, otherFields, exceeded }: Scanned): ReadonlyArray<Issue> => {
  const issue = (path: string, message: string): Issue => ({ index: null, path, message });
  if (root === "other") return [issue("", 'must be an object such as { "events": [ … ] }')];
  const issues: Issue[] = [];
  if (field === "repeated") issues.push(issue("events", REPEATED));
  else if (field === "other") issues.push(issue("events", "must be an array of events"));
  // Nothing after a limit was scanned.
  else if (field === "missing" && exceeded === undefined)
    issues.push(issue("events", "is missing"));
  for (const name of otherFields) {
    issues.push(issue(name.slice(0, 200).toWellFormed(), 'is unknown; the only field is "events"'));
  }
  return issues.slice(0, ISSUES_MAX);
};

/** The end of the group of events that are parsed together; `first`, if that event is too large to parse. */
const endOfGroup = ({ starts, ends, tokens }: Scanned, first: number): number => {
  const from = starts[first] as number;
  let end = first;
  while (end < ends.length) {
    const to = ends[end] as number;
    const isTooLarge =
      to - (starts[end] as number) > EVENT_SENT_BYTES_MAX ||
      (tokens[end] as number) > EVENT_TOKENS_MAX;
    if (isTooLarge || (end > first && to - from > PARSE_STEP_BYTES)) break;
    end++;
  }
  return end;
};

const tooLarge = ({ starts, ends }: Scanned, index: number): string =>
  (ends[index] as number) - (starts[index] as number) > EVENT_SENT_BYTES_MAX
    ? `must be at most ${EVENT_SENT_BYTES_MAX} bytes as sent, with white space and escapes`
    : EVENT_TOO_LARGE;

/** Parses a group of events. Marks replace the numbers that lose value. */
const parseElements = (
  bytes: Uint8Array,
  { starts, ends, lossyNumbers }: Scanned,
  first: number,
  end: number,
): ReadonlyArray<unknown> => {
  if (end <= first) return [];
  const to = ends[end - 1] as number;
  let from = starts[first] as number;
  let text = "[";
  for (let i = 0; i < lossyNumbers.length; i += 2) {
    const numberAt = lossyNumbers[i] as number;
    const numberEnd = lossyNumbers[i + 1] as number;
    if (numberAt < from || numberAt >= to) continue;
    const number = LOSSY_NUMBER_MARK + decodeUtf8(bytes, numberAt, numberEnd);
    text += decodeUtf8(bytes, from, numberAt) + JSON.stringify(number);
    from = numberEnd;
  }
  return JSON.parse(`${text}${decodeUtf8(bytes, from, to)}]`) as ReadonlyArray<unknown>;
};
