/**
 * One thing that a user of an account did, decoded and normalised: what the queue carries and the
 * log stores. `core/event/decode.ts` makes it from what a client sent.
 */
export interface Event {
  /** The customer account it belongs to, and with `eventId` its identity. */
  readonly accountId: string;
  /** Chosen by the sender; the same id again within the account is a duplicate or a conflict. */
  readonly eventId: string;
  readonly userId: string;
  readonly type: string;
  /** When it happened, in milliseconds since the Unix epoch (UTC). */
  readonly occurredAt: number;
  /** The sender's `metadata` object as JSON text, or null where there was none. */
  readonly metadata: string | null;
  /** 53-bit hash of everything but the identity: tells a duplicate from a conflict. */
  readonly fingerprint: number;
}

/** An event with its place in the log. */
export interface RecordedEvent extends Event {
  readonly shard: number;
  /** Dense per shard, from 1: position order is commit order. */
  readonly position: number;
  /** When the log took it in, in milliseconds since the Unix epoch (UTC). */
  readonly recordedAt: number;
}

/** The identity of an event as one string. Identifiers hold no control characters, so `\n` separates. */
export const identityOf = (event: Pick<Event, "accountId" | "eventId">): string =>
  `${event.accountId}\n${event.eventId}`;
