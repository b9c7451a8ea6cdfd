import type { Event } from "./event.ts";
import { makeFirstEvents } from "./first_events.ts";

/** The events of one accepted request, each identity at most once, and the counts of those that repeated an earlier one. */
export interface Batch {
  readonly events: ReadonlyArray<Event>;
  /** Events that were dropped because they equal an earlier one of the batch. */
  readonly duplicates: number;
  /** Events that were dropped because an earlier one of the batch has their identity and another payload. */
  readonly conflicts: number;
}

/** The size of an event without its texts, in bytes: the object, its numbers, and its place in arrays. */
const EVENT_OVERHEAD_BYTES = 200;

/**
 * The most bytes of the events of one batch. A request of 1 MiB is below it, unless its numbers are longer when written
 * in full than as sent (`1e20`).
 */
export const BATCH_BYTES_MAX = 2 * 1024 * 1024;

/** About how many bytes an event takes in memory and as text, with one byte per character. */
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

/** How many events the request contained, duplicates and conflicts included. */
export const queuedIn = (batch: Batch): number =>
  batch.events.length + batch.duplicates + batch.conflicts;

/** How many events these batches contain together. */
export const eventsIn = (holders: ReadonlyArray<{ readonly batch: Batch }>): number =>
  holders.reduce((sum, { batch }) => sum + batch.events.length, 0);

/** The accounts of a batch, each once. */
export const accountsIn = (batch: Batch): ReadonlyArray<string> => [
  ...new Set(batch.events.map(({ accountId }) => accountId)),
];

/**
 * Keeps the first event of each identity, in order. A later one is a duplicate if its payload is the same,
 * and a conflict otherwise.
 */
export const collapse = (events: ReadonlyArray<Event>): Batch => {
  const first = makeFirstEvents(events.length);
  let duplicates = 0;
  let conflicts = 0;
  for (const event of events) {
    const earlier = first.add(event);
    if (earlier === undefined) continue;
    if (earlier.fingerprint === event.fingerprint) duplicates++;
    else conflicts++;
  }
  return { events: first.events, duplicates, conflicts };
};
