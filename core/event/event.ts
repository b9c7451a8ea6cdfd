import { hash53 } from "./hash.ts";

/**
 * One thing that a user of an account did, decoded and normalised. This is what the queue carries and
 * the log stores. `core/event/decode.ts` makes it from what a client sent.
 */
export interface Event {
  /** The customer account that the event belongs to. With `eventId`, its identity. */
  readonly accountId: string;
  /** Chosen by the sender. The same id again within the account is a duplicate or a conflict. */
  readonly eventId: string;
  readonly userId: string;
  readonly type: string;
  /** When it happened, in milliseconds since the Unix epoch. */
  readonly occurredAt: number;
  /** The sender's `metadata` object as JSON text; null if there was none. */
  readonly metadata: string | null;
  /** 53-bit hash of everything but the identity: tells a duplicate from a conflict. */
  readonly fingerprint: number;
}

/** An event and its place in the log. */
export interface RecordedEvent extends Event {
  readonly shard: number;
  /** Dense per shard, starting at 1. The order of positions is the order of commits. */
  readonly position: number;
  /** When the log recorded it, in milliseconds since the Unix epoch. */
  readonly recordedAt: number;
}

/** The identity of an event as one string. Identifiers contain no control characters, so `\n` separates them. */
export const identityOf = (event: Pick<Event, "accountId" | "eventId">): string =>
  `${event.accountId}\n${event.eventId}`;

/**
 * The `fingerprint` of an event. It is stored with the event, so it must never change.
 *
 * @param metadata the event's metadata as canonical JSON; empty if there is none
 */
export const fingerprintOf = (
  { userId, type, occurredAt }: Pick<Event, "userId" | "type" | "occurredAt">,
  metadata: string,
): number => hash53(`${userId}\n${type}\n${occurredAt}\n${metadata}`);
