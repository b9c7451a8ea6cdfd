import { EVENT_TYPES_DEFAULT } from "../../core/event/types.ts";
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
  readonly events: number;
  readonly accounts: number;
  /** Users of each account. */
  readonly users: number;
  /** Timestamps lie between these two, in milliseconds since the Unix epoch. */
  readonly from: number;
  readonly to: number;
  /** How large a share of the events is an earlier event sent again, from 0 to 1. */
  readonly duplicates: number;
  readonly seed: number;
}

/**
 * Generates activity as a product team would send it: few accounts and users have most of the events.
 * The same options give the same events.
 */
export function* generateActivity(options: ActivityOptions): Generator<SentEvent> {
  const random = seededRandom(options.seed);
  const pick = (count: number): number => Math.floor(random() ** SKEW * count);
  const recent: SentEvent[] = [];
  for (let i = 0; i < options.events; i++) {
    const again = recent[Math.floor(random() * RECENT_MAX)];
    if (random() < options.duplicates && again !== undefined) {
      yield again;
      continue;
    }
    const account = pick(options.accounts);
    const event: SentEvent = {
      event_id: `${options.seed}-${i}`,
      account_id: `account-${account}`,
      user_id: `user-${account}-${pick(options.users)}`,
      type: EVENT_TYPES_DEFAULT[pick(EVENT_TYPES_DEFAULT.length)] ?? "custom",
      timestamp: new Date(options.from + random() * (options.to - options.from)).toISOString(),
      metadata: { channel: "web", n: i % 10 },
    };
    recent[i % RECENT_MAX] = event;
    yield event;
  }
}

/** 1 would be uniform; with 2 the first quarter of accounts has half of the events. */
const SKEW = 2;

/** A repeated event repeats one of the last so many. */
const RECENT_MAX = 10_000;
