import type { Event } from "./event.ts";
import { makeFirstEvents } from "./first_events.ts";

/**
 * The events of one accepted request, each identity at most once, with the count of those that were
 * left out because the request itself held them before.
 */
export interface Batch {
  readonly events: ReadonlyArray<Event>;
  /** Events left out as repetitions of an earlier one of the same batch. */
  readonly duplicates: number;
  /** Events left out because an earlier one of the same batch has their id and another payload. */
  readonly conflicts: number;
}

/** What an event takes beside its texts, in bytes: the object, its numbers, and its place in arrays. */
const EVENT_OVERHEAD_BYTES = 200;

/**
 * The most bytes of the events of one batch. A request of 1 MiB is below it, unless its numbers are longer in full
 * than as they were sent (`1e20`).
 */
export const BATCH_BYTES_MAX = 2 * 1024 * 1024;

/** About how many bytes an event takes in memory, and as text: a byte a character. */
const bytesOf = ({ accountId, eventId, userId, type, metadata }: Event): number =>
  EVENT_OVERHEAD_BYTES +
  accountId.length +
  eventId.length +
  userId.length +
  type.length +
  (metadata?.length ?? 0);

/** About how many bytes these events take together. */
export const bytesIn = (events: ReadonlyArray<Event>): number => {
  let bytes = 0;
  for (const event of events) bytes += bytesOf(event);
  return bytes;
};

/** How many events the sender was told are queued. */
export const queuedIn = (batch: Batch): number =>
  batch.events.length + batch.duplicates + batch.conflicts;

/** How many events the batches of these hold together. */
export const eventsIn = (holders: ReadonlyArray<{ readonly batch: Batch }>): number =>
  holders.reduce((sum, { batch }) => sum + batch.events.length, 0);

/** The accounts that a batch is about, each once. */
export const accountsIn = (batch: Batch): ReadonlyArray<string> => [
  ...new Set(batch.events.map(({ accountId }) => accountId)),
];

/**
 * What the first event of each identity says stands; a later one is a duplicate when its payload is
 * the same and a conflict when it is not. Order is kept.
 */
export const collapse = (events: ReadonlyArray<Event>): Batch => {
  const first = makeFirstEvents(events.length);
  let duplicates = 0;
  let conflicts = 0;
  for (const event of events) {
    const held = first.add(event);
    if (held === undefined) continue;
    if (held.fingerprint === event.fingerprint) duplicates++;
    else conflicts++;
  }
  return { events: first.events, duplicates, conflicts };
};
