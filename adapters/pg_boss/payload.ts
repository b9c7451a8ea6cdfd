import { type Batch, BATCH_BYTES_MAX, bytesIn } from "../../core/event/batch.ts";
import type { Event } from "../../core/event/event.ts";
import type { Priority } from "../../core/queue/queue.ts";
import type { TraceContext } from "../../core/trace.ts";
import { sizeKey } from "./private_tables.ts";
import { compress, decompress } from "./zstandard.ts";

/** The version of the payload below. Workers leave unknown versions to newer workers. */
const PAYLOAD_VERSION = 2;

/**
 * The JSON of a row: its parts, and the events of all parts as one compressed text, column by
 * column. If the events were JSON, the database would parse every field of every event and then
 * compress them itself, with four times the work and a result three times as large.
 */
export interface Payload {
  readonly version: typeof PAYLOAD_VERSION;
  readonly parts: ReadonlyArray<Part>;
  /** All values of one column, then all of the next, compressed with Zstandard, in base64. */
  readonly events: string;
}

/** One batch: the number of its events, and of those left out as duplicates and conflicts. */
interface Part {
  readonly events: number;
  readonly duplicates: number;
  readonly conflicts: number;
  /** Only for traced requests, which are few. */
  readonly trace?: TraceTuple;
}

type TraceTuple = readonly [traceId: string, spanId: string];

/** A batch, with the trace that continues in the worker. */
export interface Carried extends Batch {
  readonly trace?: TraceContext;
}

/** Separates values: identifiers contain no control characters, and JSON text escapes them. */
const SEPARATOR = "\n";

const encodePayload = async (batches: ReadonlyArray<Carried>): Promise<Payload> => ({
  version: PAYLOAD_VERSION,
  parts: batches.map(({ events, duplicates, conflicts, trace }) => ({
    events: events.length,
    duplicates,
    conflicts,
    ...(trace && { trace: [trace.traceId, trace.spanId] as const }),
  })),
  events: await encodeEvents(batches.flatMap((batch) => batch.events)),
});

const encodeEvents = (events: ReadonlyArray<Event>): Promise<string> => {
  const columns = [
    events.map((event) => event.accountId),
    events.map((event) => event.eventId),
    events.map((event) => event.userId),
    events.map((event) => event.type),
    events.map((event) => event.occurredAt),
    // Null joins as an empty text, which no JSON value is.
    events.map((event) => event.metadata),
    events.map((event) => event.fingerprint),
  ];
  const text = columns.map((values) => values.join(SEPARATOR)).join(SEPARATOR);
  return compress(text, (frame) => frame.toString("base64"));
};

export const carried = (batch: Batch, trace: TraceContext | undefined): Carried =>
  trace === undefined ? batch : { ...batch, trace };

/** pg-boss fetches the highest first. */
const NUMBERS: Readonly<Record<Priority, number>> = { normal: 0, low: -1, lowest: -2 };

/** Makes a row to insert. */
export const rowWith = async (
  id: string,
  batches: ReadonlyArray<Carried>,
  priority: Priority = "normal",
) => ({
  id,
  data: await encodePayload(batches),
  priority: NUMBERS[priority],
  singletonKey: sizeKey({
    events: batches.reduce((sum, { events }) => sum + events.length, 0),
    bytes: batches.reduce((sum, { events }) => sum + bytesIn(events), 0),
  }),
});

/** The batches of a row; undefined if this build cannot read it: it is newer or damaged. */
export const decodePayload = async (
  payload: Payload,
): Promise<ReadonlyArray<Carried> | undefined> => {
  if (payload?.version !== PAYLOAD_VERSION) return undefined;
  try {
    const events = await eventsOf(payload);
    let begin = 0;
    const batches = payload.parts.map(({ events: count, duplicates, conflicts, trace }) => {
      const end = begin + count;
      const batch = { events: events.slice(begin, end), duplicates, conflicts };
      begin = end;
      return trace === undefined
        ? batch
        : { ...batch, trace: { traceId: trace[0], spanId: trace[1] } };
    });
    return begin === events.length ? batches : undefined;
  } catch {
    return undefined;
  }
};

const eventsOf = ({ parts, events }: Payload): Promise<ReadonlyArray<Event>> => {
  const count = parts.reduce((sum, part) => sum + part.events, 0);
  return count === 0
    ? Promise.resolve([])
    : decompress(Buffer.from(events, "base64"), TEXT_BYTES_MAX, (text) =>
        parseEvents(text.toString(), count),
      );
};

const parseEvents = (text: string, count: number): ReadonlyArray<Event> => {
  const values = text.split(SEPARATOR);
  if (values.length !== count * COLUMNS) throw new RangeError(`${values.length} values`);
  // All of them are there: their number was just checked.
  const value = (column: number, i: number): string => values[column * count + i] as string;
  return Array.from({ length: count }, (_, i) => ({
    accountId: value(0, i),
    eventId: value(1, i),
    userId: value(2, i),
    type: value(3, i),
    occurredAt: Number(value(4, i)),
    metadata: value(5, i) || null,
    fingerprint: Number(value(6, i)),
  }));
};

const COLUMNS = 7;

/**
 * The most bytes in the text of a row: three in UTF-8 for each that `bytesIn` counts. A row with
 * more is damaged or forged.
 */
const TEXT_BYTES_MAX = 3 * BATCH_BYTES_MAX;
