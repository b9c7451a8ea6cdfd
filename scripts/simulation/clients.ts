import { Clock, Effect, Fiber, Option, Result } from "effect";

import { ANYONE } from "../../core/access/principal.ts";
import { type Accepted, type Body, recordEvents } from "../../core/command/record_events.ts";
import { EVENT_TYPES_DEFAULT } from "../../core/event/rules.ts";
import { shardOf } from "../../core/event/shard.ts";
import { formatTimestamp } from "../../core/event/timestamp.ts";
import type { Question } from "../../core/query/answer.ts";
import { SummaryCache, type Tier } from "../../core/query/summary_cache.ts";
import { WINDOW_NAMES } from "../../core/summary/range.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { UNFOLDABLE, UNSTORABLE } from "./backend.ts";
import type { Fleet, Process, SentSummary } from "./process.ts";
import type { Outcome, SentEvent, World } from "./world.ts";

const USERS = ["ada", "bob", "eve", "😀"] as const;

/** How long a client waits for an answer before it gives the attempt up. */
const WRITE_TIMEOUT_MS = { min: 20, max: 4_000 };

/** The probability that a client gives up instead of retrying. */
const GIVES_UP = 0.1;

/** Sends new and repeated events until the faults end, and retries each request until its outcome is known. */
export const runWriter = Effect.fnUntraced(function* (world: World, fleet: Fleet, name: string) {
  const { random, faults, ledger, history, conditions } = world;
  // Sometimes more than the five minutes ahead that the service accepts.
  const skewMs = faults.happens("skewed")
    ? random.between(-30 * MINUTE_MS, Math.round(5.5 * MINUTE_MS))
    : 0;
  let events = 0;

  const newEvent = (now: number): SentEvent => {
    events++;
    const id = `${name}-${events}`;
    const kind = faults.happens("unstorable")
      ? UNSTORABLE
      : faults.happens("unfoldable")
        ? UNFOLDABLE
        : "";
    const agoMs = random.chance(0.5) ? 0 : random.between(0, 26 * 60 * MINUTE_MS);
    return {
      event_id: `${kind}${id}`,
      account_id: random.pick(conditions.accounts),
      user_id: random.pick(USERS),
      type: random.pick(EVENT_TYPES_DEFAULT),
      timestamp: formatTimestamp(now + skewMs - agoMs),
    };
  };
  const anyEvent = (now: number): SentEvent => {
    if (ledger.events.length > 0 && faults.happens("resent")) return random.pick(ledger.events);
    if (ledger.events.length > 0 && faults.happens("conflicting")) {
      return { ...random.pick(ledger.events), user_id: "mallory" };
    }
    return newEvent(now);
  };

  while (!faults.isOver()) {
    yield* Effect.sleep(random.magnitude(20, 1_000));
    const now = yield* Clock.currentTimeMillis;
    const length = random.magnitude(1, 12);
    const request = ledger.open(Array.from({ length }, () => anyEvent(now)));
    for (;;) {
      request.outcome = yield* post(world, fleet, request.events);
      if (request.outcome._tag !== "Unknown") break;
      history.note(name, `got no answer for ${request.events.map(idOf).join(" ")}`);
      if (random.chance(GIVES_UP)) break;
      yield* Effect.sleep(random.magnitude(10, 1_000));
    }
  }
});

const idOf = (event: SentEvent): string => `${event.account_id}/${event.event_id}`;

const UNKNOWN: Outcome = { _tag: "Unknown" };

/** Sends events to one of the processes. */
const post = Effect.fnUntraced(function* (
  { random }: World,
  fleet: Fleet,
  events: ReadonlyArray<SentEvent>,
) {
  const process = fleet.any();
  if (process === undefined) return UNKNOWN;
  // A retry may send them in another order.
  const body = bodyOf(random.chance(0.5) ? events : random.shuffled(events));
  const handler = yield* process.handle(Effect.result(recordEvents(body, ANYONE)));
  const timeoutMs = random.magnitude(WRITE_TIMEOUT_MS.min, WRITE_TIMEOUT_MS.max);
  const answer = yield* Effect.timeoutOption(Fiber.join(handler), timeoutMs);
  return Option.isNone(answer) ? UNKNOWN : outcomeOf(answer.value);
});

const bodyOf = (events: ReadonlyArray<SentEvent>): Body => ({
  bytes: new TextEncoder().encode(JSON.stringify({ events })),
  release: () => {},
});

/** Errors that say nothing about an earlier attempt of the same request. */
const RETRYABLE: ReadonlySet<string> = new Set(["QueueUnavailable", "QueueFull", "QuotaExceeded"]);

const outcomeOf = (
  answer: Result.Result<Accepted, Effect.Error<ReturnType<typeof recordEvents>>>,
): Outcome => {
  if (Result.isSuccess(answer)) return { _tag: "Accepted", accepted: answer.success };
  return RETRYABLE.has(answer.failure._tag) ? UNKNOWN : { _tag: "Rejected" };
};

/** A summary that a client got. */
export interface Reading {
  readonly tier: Tier;
  readonly askedAt: number;
  /** The checkpoint of the shard that the process knew when it was asked. */
  readonly known: number;
  readonly summary: SentSummary;
}

/** How many users each summary ranks: fewer than there are. */
export const TOP = 3;

/** How long a reader waits. After a timeout its next request can meet the query that is still running. */
const READ_TIMEOUT_MS = { min: 50, max: 3_000 };

/** Reads summaries until the faults end, and returns those that it got. */
export const runReader = Effect.fnUntraced(function* (world: World, fleet: Fleet) {
  const { random, faults, conditions } = world;
  const readings: Reading[] = [];
  while (!faults.isOver()) {
    yield* Effect.sleep(random.magnitude(5, 200));
    const process = fleet.any();
    if (process === undefined) continue;
    const question: Question = {
      accountId: random.pick(conditions.accounts),
      period: random.pick(WINDOW_NAMES),
      top: TOP,
    };
    const timeoutMs = random.magnitude(READ_TIMEOUT_MS.min, READ_TIMEOUT_MS.max);
    const reading = yield* read(world, process, question, timeoutMs);
    if (reading !== undefined) readings.push(reading);
  }
  return readings;
});

/** Requests a summary from a process; undefined if it fails or times out. */
export const read = Effect.fnUntraced(function* (
  { conditions }: World,
  process: Process,
  question: Question,
  timeoutMs: number,
) {
  const askedAt = yield* Clock.currentTimeMillis;
  const known = process.knows(shardOf(question.accountId, conditions.shards));
  const handler = yield* process.handle(
    Effect.result(Effect.flatMap(SummaryCache, (cache) => cache.answer(question))),
  );
  const given = Option.getOrUndefined(yield* Effect.timeoutOption(Fiber.join(handler), timeoutMs));
  if (given === undefined || Result.isFailure(given)) return undefined;
  const { answer, tier } = given.success;
  const summary = JSON.parse(answer.text) as SentSummary;
  return { tier, askedAt, known, summary } satisfies Reading;
});
