import { type Event, fingerprintOf } from "../../core/event/event.ts";
import { EVENT_TYPES_DEFAULT } from "../../core/event/rules.ts";
import { formatTimestamp } from "../../core/event/timestamp.ts";
import { seededRandom } from "./random.ts";

/** An event as a client sends it. */
export interface SentEvent {
  readonly event_id: string;
  readonly account_id: string;
  readonly user_id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly metadata: object;
}

export interface ActivityOptions {
  /** How many events, those of the whale included. */
  readonly events: number;
  readonly accounts: number;
  /** Users of each account. */
  readonly users: number;
  /** How many of the events are of the one account `whale`, all of whose users are equally active. */
  readonly whale: number;
  /**
   * When an event happened, in milliseconds since the Unix epoch, by how large a share of the events comes
   * before it: 0 for the first, then ascending. `busyTimes` makes one.
   */
  readonly timeAt: (share: number) => number;
  readonly seed: number;
  /** What the ids of events begin with. */
  readonly name: string;
}

/** How many users the whale has: what makes it hard to rank them is their number. */
export const whaleUsers = (events: number): number => Math.ceil(events / 10);

/**
 * Generates activity as product teams would send it: few accounts and users have most of the events. The
 * same options give the same events.
 */
export function* generateActivity(options: ActivityOptions): Generator<Event> {
  const { events, accounts, users, whale, timeAt, name } = options;
  const random = seededRandom(options.seed);
  const pick = (count: number): number => Math.floor(random() ** SKEW * count);
  const manyUsers = whaleUsers(whale);
  // Ids of one length, so that their order is that of the events: an index grows at its end.
  const digits = String(events).length;
  let whales = 0;
  for (let i = 0; i < events; i++) {
    const occurredAt = timeAt(i === 0 ? 0 : (i + random()) / events);
    // As many as there must be by now, so that they lie evenly between the others.
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

/** An event as a client would have sent it. */
export const sentEvent = (event: Event): SentEvent => ({
  event_id: event.eventId,
  account_id: event.accountId,
  user_id: event.userId,
  type: event.type,
  timestamp: formatTimestamp(event.occurredAt),
  metadata: JSON.parse(event.metadata ?? "{}") as object,
});

export const WHALE = "whale";

/** 1 would be uniform; with 3 the first tenth of accounts has nearly half of the events. */
const SKEW = 3;

/** Canonical JSON, as the fingerprint is made of. */
const METADATA: ReadonlyArray<string> = ["web", "ios", "android", "api"].flatMap((channel) =>
  Array.from({ length: 10 }, (_, n) => `{"channel":"${channel}","n":${n}}`),
);
