import { type Batch, bytesIn } from "../../core/event/batch.ts";

/** The most events in one row: rows of this size are cheap to insert, and to hold while appending. */
export const ROW_EVENTS_MAX = 1_000;

/** The most bytes that several batches share a row with, as `bytesIn` counts them: as many as a request may have. */
export const ROW_BYTES_MAX = 1024 * 1024;

/** How much a row holds. */
export interface RowSize {
  readonly events: number;
  /** As `bytesIn` counts them. */
  readonly bytes: number;
}

export const sizeOf = (batches: ReadonlyArray<Pick<Batch, "events">>): RowSize => {
  let events = 0;
  let bytes = 0;
  for (const batch of batches) {
    events += batch.events.length;
    bytes += bytesIn(batch.events);
  }
  return { events, bytes };
};

/**
 * A row's size as its `singleton_key`, a column beside the payload: what waits is added up, and what is handed out is
 * bounded, without a look at any payload.
 */
export const sizeKey = ({ events, bytes }: RowSize): string => `${events}:${bytes}`;

/** The events of a row in SQL; null for one that no build of ours has written. */
export const EVENTS_OF_ROW = "nullif(split_part(singleton_key, ':', 1), '')::int";

/** The bytes of a row in SQL; null for one that no build of ours has written. */
export const BYTES_OF_ROW = "nullif(split_part(singleton_key, ':', 2), '')::int";
