import { Predicate, Result } from "effect";

import { type Batch, collapse } from "../event/batch.ts";
import { decodeEvent, type Issue } from "../event/decode.ts";
import type { Event } from "../event/event.ts";
import type { EventRules } from "../event/rules.ts";
import {
  BatchEmpty,
  BatchMalformed,
  type BatchRejected,
  BatchTooLarge,
  EventInvalid,
} from "./errors.ts";

/** The most events in one request. */
export const BATCH_EVENTS_MAX = 1_000;

/** The most issues reported of one batch: enough to mend it, few enough to bound the answer. */
export const ISSUES_MAX = 100;

/**
 * Decides what a request to record events means: the batch to queue, or the reason to refuse it whole.
 *
 * @param input the parsed JSON body, `{ "events": [Event, …] }`
 * @param now the service's clock, in milliseconds since the Unix epoch
 */
export const decodeBatch = (
  input: unknown,
  rules: EventRules,
  now: number,
): Result.Result<Batch, BatchRejected> => {
  const envelope = envelopeIssues(input);
  if (envelope.length > 0) return Result.fail(new BatchMalformed({ issues: envelope }));

  const { events: inputs } = input as { readonly events: ReadonlyArray<unknown> };
  if (inputs.length === 0) return Result.fail(new BatchEmpty());
  if (inputs.length > BATCH_EVENTS_MAX) {
    return Result.fail(new BatchTooLarge({ events: inputs.length }));
  }

  const issues: Issue[] = [];
  const events: Event[] = [];
  for (let index = 0; index < inputs.length && issues.length < ISSUES_MAX; index++) {
    const event = decodeEvent(inputs[index], index, rules, now, issues);
    if (event !== undefined) events.push(event);
  }
  if (issues.length > 0) {
    return Result.fail(new EventInvalid({ issues: issues.slice(0, ISSUES_MAX) }));
  }
  return Result.succeed(collapse(events));
};

const envelopeIssues = (input: unknown): ReadonlyArray<Issue> => {
  const issue = (path: string, message: string): Issue => ({ index: null, path, message });
  if (!Predicate.isObject(input) || Array.isArray(input)) {
    return [issue("", 'must be an object such as { "events": [ … ] }')];
  }
  const issues: Issue[] = [];
  const { events } = input as { readonly events?: unknown };
  if (events === undefined) issues.push(issue("events", "is missing"));
  else if (!Array.isArray(events)) issues.push(issue("events", "must be an array of events"));
  for (const field of Object.keys(input).slice(0, ISSUES_MAX)) {
    if (field !== "events") {
      issues.push(issue(field.slice(0, 200).toWellFormed(), 'is not known here; only "events" is'));
    }
  }
  return issues.slice(0, ISSUES_MAX);
};
