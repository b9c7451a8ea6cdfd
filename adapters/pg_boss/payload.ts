import { type Batch, BATCH_BYTES_MAX } from "../../core/event/batch.ts";
import type { Event } from "../../core/event/event.ts";
import type { Priority } from "../../core/queue/queue.ts";
import type { TraceContext } from "../../core/trace.ts";
import { sizeKey, sizeOf } from "./row_size.ts";
import { compress, decompress } from "./zstandard.ts";

/** The version of the payload below; a worker leaves one that it does not know to a newer worker. */
const PAYLOAD_VERSION = 2;

/**
 * What a row of the queue carries as JSON: its parts, and the events of all of them as one text, column by
 * column, compressed. As JSON the database would make a value of every field of every event, and then
 * compress them itself: four times the work, to three times as many bytes.
 */
export interface Payload {
  readonly version: typeof PAYLOAD_VERSION;
  readonly parts: ReadonlyArray<Part>;
  /** All values of one column, then all of the next: Zstandard, in base64. */
  readonly events: string;
}

/** One batch: how many of the events are its own, and how many were left out of it. */
interface Part {
  readonly events: number;
  readonly duplicates: number;
  readonly conflicts: number;
  /** Absent unless the request is traced, which few are. */
  readonly trace?: TraceTuple;
}

type TraceTuple = readonly [traceId: string, spanId: string];

/** A batch, and the trace that goes on with it. */
export interface Carried extends Batch {
  readonly trace?: TraceContext;
}

/** Between two values: identifiers hold no control characters, and JSON text escapes them. */
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
    // Null joins as nothing, which is no JSON text.
    events.map((event) => event.metadata),
    events.map((event) => event.fingerprint),
  ];
  const text = columns.map((values) => values.join(SEPARATOR)).join(SEPARATOR);
  return compress(text, (frame) => frame.toString("base64"));
};

/** A batch that goes on with its trace, if it has one. */
export const carried = (batch: Batch, trace: TraceContext | undefined): Carried =>
  trace === undefined ? batch : { ...batch, trace };

/** pg-boss hands out the highest first. */
const NUMBERS: Readonly<Record<Priority, number>> = { normal: 0, low: -1, lowest: -2 };

/** A row to insert. Its key says how much it holds. */
export const rowWith = async (
  id: string,
  batches: ReadonlyArray<Carried>,
  priority: Priority = "normal",
) => ({
  id,
  data: await encodePayload(batches),
  priority: NUMBERS[priority],
  singletonKey: sizeKey(sizeOf(batches)),
});

/** The batches of a row; undefined when this build cannot read it, being older or the row broken. */
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
  const value = (column: number, i: number): string => values[column * count + i] ?? "";
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
 * The most bytes that the text of a row has: three in UTF-8 for each that `bytesIn` counts. A row that says otherwise
 * is damaged, or somebody made it.
 */
const TEXT_BYTES_MAX = 3 * BATCH_BYTES_MAX;
