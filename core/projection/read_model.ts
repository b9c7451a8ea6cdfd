import type { RecordedEvent } from "../event/event.ts";

/** Milliseconds of one hour: the grain of the time dimension. */
export const HOUR_MS = 3_600_000;

/** The start of the UTC hour that holds an instant, both in milliseconds since the Unix epoch. */
export const hourOf = (ms: number): number => Math.floor(ms / HOUR_MS) * HOUR_MS;

/** What a read model may be grouped by, and how it is read off an event. */
export const DIMENSIONS = {
  account_id: (event) => event.accountId,
  /** The start of the event's UTC hour, in milliseconds since the Unix epoch. */
  hour: (event) => hourOf(event.occurredAt),
  type: (event) => event.type,
  user_id: (event) => event.userId,
} as const satisfies Record<string, (event: RecordedEvent) => string | number>;

export type Dimension = keyof typeof DIMENSIONS;

/**
 * A read model as data: the number of events for every combination of its dimensions. Adapters compile
 * it to what their store does best; `fold` says what the result must be.
 */
export interface ReadModel {
  /** Also the name of its table. */
  readonly name: string;
  readonly dimensions: ReadonlyArray<Dimension>;
  /** Goes up with every change of what it counts. A rebuild then expects its rows to differ. */
  readonly version: number;
}

/** A row: the values of the dimensions in their declared order, and how many events have them. */
export interface Row {
  readonly key: ReadonlyArray<string | number>;
  readonly events: number;
}

/** Rows by their key as JSON, so that a row can be found again. */
export type Rows = ReadonlyMap<string, Row>;

export const NO_ROWS: Rows = new Map();

/**
 * Folds events into the rows of a read model. Counting commutes, so any split of the log into ranges
 * gives the same rows; this is what the SQL of the Postgres adapter is tested against.
 */
export const fold = (model: ReadModel, rows: Rows, events: ReadonlyArray<RecordedEvent>): Rows => {
  const next = new Map(rows);
  for (const event of events) {
    const key = model.dimensions.map((dimension) => DIMENSIONS[dimension](event));
    const id = JSON.stringify(key);
    next.set(id, { key, events: (next.get(id)?.events ?? 0) + 1 });
  }
  return next;
};
