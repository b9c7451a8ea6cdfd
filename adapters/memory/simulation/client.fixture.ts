import { Clock, Effect, Fiber, Option, Result } from "effect";

import { ANYONE } from "../../../core/access/principal.ts";
import { bodyOf } from "../../../core/command/body.fixture.ts";
import { type Accepted, recordEvents } from "../../../core/command/record_events.ts";
import { formatTimestamp } from "../../../core/event/timestamp.ts";
import { EVENT_TYPES_DEFAULT } from "../../../core/event/types.ts";
import type { Fleet } from "./fleet.fixture.ts";
import type { Outcome, SentEvent } from "./ledger.fixture.ts";
import { UNFOLDABLE, UNSTORABLE } from "./poison.fixture.ts";
import type { World } from "./world.fixture.ts";

const USERS = ["ada", "bob", "eve", "😀"] as const;

const MINUTE_MS = 60_000;

/** How long a client waits for an answer before it counts it as lost. */
const PATIENCE_MS = { min: 20, max: 4_000 };

/** How likely a client gives up rather than send again what got no answer. */
const GIVES_UP = 0.1;

/**
 * A client: sends new events and old ones until the storm is over, and each request until it knows what
 * became of it.
 */
export const runClient = Effect.fnUntraced(function* (world: World, fleet: Fleet, name: string) {
  const { random, faults, ledger, trace, conditions } = world;
  // More than five minutes ahead is refused.
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
      trace.note(name, `does not know what became of ${request.events.map(idOf).join(" ")}`);
      if (random.chance(GIVES_UP)) break;
      yield* Effect.sleep(random.magnitude(10, 1_000));
    }
  }
});

const idOf = (event: SentEvent): string => `${event.account_id}/${event.event_id}`;

const UNKNOWN: Outcome = { _tag: "Unknown" };

/** Sends events to one of the processes, and says what it was told in time. */
const post = Effect.fnUntraced(function* (
  { random }: World,
  fleet: Fleet,
  events: ReadonlyArray<SentEvent>,
) {
  const process = fleet.any();
  if (process === undefined) return UNKNOWN;
  // Sent again they may come in another order.
  const body = { events: random.chance(0.5) ? events : random.shuffled(events) };
  const handler = yield* process.handle(Effect.result(recordEvents(bodyOf(body), ANYONE)));
  const patienceMs = random.magnitude(PATIENCE_MS.min, PATIENCE_MS.max);
  const answer = yield* Effect.timeoutOption(Fiber.join(handler), patienceMs);
  return Option.isNone(answer) ? UNKNOWN : outcomeOf(answer.value);
});

/** What says nothing of an earlier attempt at the same request. */
const MAY_BE_SENT_AGAIN: ReadonlySet<string> = new Set([
  "QueueUnavailable",
  "QueueFull",
  "QuotaExceeded",
]);

const outcomeOf = (
  answer: Result.Result<Accepted, Effect.Error<ReturnType<typeof recordEvents>>>,
): Outcome => {
  if (Result.isSuccess(answer)) return { _tag: "Accepted", accepted: answer.success };
  return MAY_BE_SENT_AGAIN.has(answer.failure._tag) ? UNKNOWN : { _tag: "Rejected" };
};
