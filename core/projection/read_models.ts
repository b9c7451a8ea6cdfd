import type { RecordedEvent } from "../event/event.ts";
import { hourOf } from "../time.ts";

/** The dimensions that a read model may group by, and how to read each from an event. */
export const DIMENSIONS = {
  account_id: (event) => event.accountId,
  /** The start of the event's UTC hour, in milliseconds since the Unix epoch. */
  hour: (event) => hourOf(event.occurredAt),
  type: (event) => event.type,
  user_id: (event) => event.userId,
} as const satisfies Record<string, (event: RecordedEvent) => string | number>;

export type Dimension = keyof typeof DIMENSIONS;

/**
 * A read model as data: the number of events for each combination of its dimensions. Adapters compile it
 * to what their store does best; `fold` defines the result.
 */
export interface ReadModel {
  /** Also the name of its table. */
  readonly name: string;
  readonly dimensions: ReadonlyArray<Dimension>;
  /** Incremented with every change of what it counts, so that a rebuild expects different rows. */
  readonly version: number;
}

/** The values of the dimensions in their declared order, and how many events have them. */
export interface Row {
  readonly key: ReadonlyArray<string | number>;
  readonly events: number;
}

/** Rows by their key as JSON. */
export type Rows = ReadonlyMap<string, Row>;

export const NO_ROWS: Rows = new Map();

/**
 * Folds events into the rows of a read model. Counting commutes, so every split of the log into ranges
 * gives the same rows. The SQL of the Postgres adapter is tested against this.
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

/** How many events of each type an account had in each hour: the totals of a summary. */
const activityByType: ReadModel = {
  name: "activity_by_type",
  dimensions: ["account_id", "hour", "type"],
  version: 1,
};

/** Every read model that the projector maintains. */
export const READ_MODELS: ReadonlyArray<ReadModel> = [activityByType];

/** The version of each read model, by name. */
export const READ_MODEL_VERSIONS: Readonly<Record<string, number>> = Object.fromEntries(
  READ_MODELS.map(({ name, version }) => [name, version]),
);
