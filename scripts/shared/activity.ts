import { type Event, fingerprintOf } from "../../core/event/event.ts";
import { EVENT_TYPES_DEFAULT } from "../../core/event/rules.ts";
import { formatTimestamp } from "../../core/event/timestamp.ts";
import { HOUR_MS, hourOf } from "../../core/time.ts";
import { seededRandom } from "./random.ts";

/** An event in the form that clients send. */
export interface SentEvent {
  readonly event_id: string;
  readonly account_id: string;
  readonly user_id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly metadata: object;
}

export interface ActivityOptions {
  /** The number of events, including those of the whale. */
  readonly events: number;
  readonly accounts: number;
  /** Users of each account. */
  readonly users: number;
  /** How many of the events belong to the account `whale`, whose users are all equally active. */
  readonly whale: number;
  /**
   * Gives the time of an event in milliseconds since the Unix epoch. Its argument is the share of
   * events before this one, ascending from 0. `busyTimes` makes such a function.
   */
  readonly timeAt: (share: number) => number;
  readonly seed: number;
  /** The prefix of event ids. */
  readonly name: string;
}

/** The number of users of a whale with so many events: many, which makes them hard to rank. */
export const whaleUsers = (events: number): number => Math.ceil(events / 10);

/** Generates activity in which a few accounts and users have most of the events. */
export function* generateActivity(options: ActivityOptions): Generator<Event> {
  const { events, accounts, users, whale, timeAt, name } = options;
  const random = seededRandom(options.seed);
  const pick = (count: number): number => Math.floor(random() ** SKEW * count);
  const manyUsers = whaleUsers(whale);
  // Ids of equal length sort in the order of the events, so that an index grows at its end.
  const digits = String(events).length;
  let whales = 0;
  for (let i = 0; i < events; i++) {
    const occurredAt = timeAt(i === 0 ? 0 : (i + random()) / events);
    // Spreads them evenly between the others.
    const isWhale = whales < Math.floor(((i + 1) * whale) / events);
    if (isWhale) whales++;
    const account = isWhale ? 0 : pick(accounts);
    const userId = isWhale
      ? `user-${Math.floor(random() * manyUsers)}`
      : `user-${account}-${pick(users)}`;
    const type = EVENT_TYPES_DEFAULT[pick(EVENT_TYPES_DEFAULT.length)] ?? "custom";
    const metadata = METADATA[i % METADATA.length] ?? "{}";
    yield {
      accountId: isWhale ? WHALE : `account-${account}`,
      eventId: `${name}-${String(i).padStart(digits, "0")}`,
      userId,
      type,
      occurredAt,
      metadata,
      fingerprint: fingerprintOf({ userId, type, occurredAt }, metadata),
    };
  }
}

/** The event in the form that a client would have sent. */
export const sentEvent = (event: Event): SentEvent => ({
  event_id: event.eventId,
  account_id: event.accountId,
  user_id: event.userId,
  type: event.type,
  timestamp: formatTimestamp(event.occurredAt),
  metadata: JSON.parse(event.metadata ?? "{}") as object,
});

export const WHALE = "whale";

/** 1 is uniform. With 3 the first tenth of accounts has nearly half of the events. */
const SKEW = 3;

/** Canonical JSON, which fingerprints need. */
const METADATA: ReadonlyArray<string> = ["web", "ios", "android", "api"].flatMap((channel) =>
  Array.from({ length: 10 }, (_, n) => `{"channel":"${channel}","n":${n}}`),
);

const BUSIEST_HOUR = 15;

/** The weight of an hour of the day, in UTC. The busiest third has three quarters of the events. */
const busyness = (hour: number): number =>
  (1.3 + Math.cos(((hour - BUSIEST_HOUR) / 24) * 2 * Math.PI)) ** 2;

/**
 * Spreads events over a time span, with few at night.
 *
 * @returns a function from the share of earlier events, ascending from 0 and less than 1, to a time
 *   in milliseconds since the Unix epoch
 */
export const busyTimes = (from: number, to: number): ((share: number) => number) => {
  const hours: { readonly start: number; readonly end: number; readonly weight: number }[] = [];
  let total = 0;
  for (let start = from; start < to; start = hourOf(start) + HOUR_MS) {
    const end = Math.min(to, hourOf(start) + HOUR_MS);
    const weight = busyness(new Date(start).getUTCHours()) * (end - start);
    hours.push({ start, end, weight });
    total += weight;
  }
  let at = 0;
  let before = 0;
  return (share) => {
    const weight = share * total;
    for (;;) {
      const hour = hours[at];
      if (hour === undefined) return to - 1;
      const within = (weight - before) / hour.weight;
      if (within < 1) return Math.floor(hour.start + within * (hour.end - hour.start));
      before += hour.weight;
      at++;
    }
  };
};

/** Only so many recent events are repeated. */
const RECENT_MAX = 10_000;

/** Replaces a share of the events, from 0 to 1, by earlier ones. */
export function* withRepeats<A>(events: Iterable<A>, share: number, seed: number): Generator<A> {
  const random = seededRandom(seed);
  const recent: A[] = [];
  let i = 0;
  for (const event of events) {
    const again = recent[Math.floor(random() * RECENT_MAX)];
    const repeated = random() < share ? again : undefined;
    if (repeated === undefined) recent[i++ % RECENT_MAX] = event;
    yield repeated ?? event;
  }
}
