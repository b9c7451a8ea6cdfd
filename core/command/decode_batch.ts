import { Effect, Result } from "effect";

import { Client } from "../access/client.ts";
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
import { makeElementScanner, type Scanned } from "../json/element_scanner.ts";
import { LOSSY_NUMBER_MARK } from "../json/lossy_number.ts";
import { decodeUtf8 } from "../json/utf8_text.ts";
import { type TurnRefused, Turns, type Work } from "../turns.ts";
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

/** The most values and keys in one request: four bytes each in the largest one, and honest ones have more. */
export const BATCH_TOKENS_MAX = 262_144;

/** The most issues reported of one batch: enough to mend it, few enough to bound the answer. */
export const ISSUES_MAX = 100;

/**
 * The most bytes of one event as it is sent, with its white space and escapes. An escape takes six bytes at most where
 * the event as JSON takes one.
 */
export const EVENT_SENT_BYTES_MAX = 8 * EVENT_BYTES_MAX;

/** Each value and each key but one takes two bytes at least, so an event of more does not fit. */
const EVENT_TOKENS_MAX = EVENT_BYTES_MAX / 2;

// How much one step does: a fraction of a millisecond of work.
const SCAN_STEP_BYTES = 32_768;
const PARSE_STEP_BYTES = 16_384;

/**
 * Decides what a request to record events means: the batch to queue, or the reason to refuse it whole. It is worked out
 * step by step in the turns of the client that this fiber works for.
 *
 * @param bytes the body, `{ "events": [Event, …] }` as JSON in UTF-8
 * @param now the service's clock, in milliseconds since the Unix epoch
 * @errors `BatchRejected` when the body is at fault, `TurnRefused` when there was no time for it
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

/** The decoding of a batch as work of many steps, each of which costs little whatever the body is. */
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
    tokensOf: (index) => scanned?.tokens[index] ?? 0,
    textOf: (index) => decodeUtf8(bytes, scanned?.starts[index] ?? 0, scanned?.ends[index] ?? 0),
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

/** What is wrong with a batch that is known without a look into its events. */
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
  // Behind a limit nothing was looked at.
  else if (field === "missing" && exceeded === undefined)
    issues.push(issue("events", "is missing"));
  for (const name of otherFields) {
    issues.push(issue(name.slice(0, 200).toWellFormed(), 'is not known here; only "events" is'));
  }
  return issues.slice(0, ISSUES_MAX);
};

/** Where the events end that are parsed together with this one; here, if it is too large to be parsed at all. */
const endOfGroup = ({ starts, ends, tokens }: Scanned, begin: number): number => {
  const from = starts[begin] ?? 0;
  let end = begin;
  while (end < ends.length) {
    const to = ends[end] ?? 0;
    const isTooLarge =
      to - (starts[end] ?? 0) > EVENT_SENT_BYTES_MAX || (tokens[end] ?? 0) > EVENT_TOKENS_MAX;
    if (isTooLarge || (end > begin && to - from > PARSE_STEP_BYTES)) break;
    end++;
  }
  return end;
};

const tooLarge = ({ starts, ends }: Scanned, index: number): string =>
  (ends[index] ?? 0) - (starts[index] ?? 0) > EVENT_SENT_BYTES_MAX
    ? `must be at most ${EVENT_SENT_BYTES_MAX} bytes as sent, with its white space and escapes`
    : EVENT_TOO_LARGE;

/** Parses some of the events, with marks in place of their numbers that lose value. */
const parseElements = (
  bytes: Uint8Array,
  { starts, ends, lossyNumbers }: Scanned,
  begin: number,
  end: number,
): ReadonlyArray<unknown> => {
  if (end <= begin) return [];
  const to = ends[end - 1] ?? 0;
  let from = starts[begin] ?? 0;
  let text = "[";
  for (let i = 0; i < lossyNumbers.length; i += 2) {
    const [first = 0, last = 0] = [lossyNumbers[i], lossyNumbers[i + 1]];
    if (first < from || first >= to) continue;
    const number = LOSSY_NUMBER_MARK + decodeUtf8(bytes, first, last);
    text += decodeUtf8(bytes, from, first) + JSON.stringify(number);
    from = last;
  }
  return JSON.parse(`${text}${decodeUtf8(bytes, from, to)}]`) as ReadonlyArray<unknown>;
};
