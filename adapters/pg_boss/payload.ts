import type { Batch } from "../../core/event/batch.ts";
import type { Event } from "../../core/event/event.ts";
import type { Lane } from "../../core/queue/queue.ts";
import type { TraceContext } from "../../core/trace.ts";

/** The version of the payload below; a worker leaves one that it does not know to a newer worker. */
const PAYLOAD_VERSION = 2;

/**
 * What a row of the queue carries as JSON: its parts, and the events of all of them column by column. A
 * column is one text. The database would make a value of every field of every event otherwise, which
 * costs twice as much to insert, and columns compress better than events.
 */
export interface Payload {
  readonly version: typeof PAYLOAD_VERSION;
  readonly parts: ReadonlyArray<Part>;
  readonly columns: Readonly<Record<Column, string>>;
}

/** One batch: how many events it has in the columns, and how many were left out of it. */
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

type Column = keyof Event;

/** Between the values of a column: identifiers hold no control characters, and JSON text escapes them. */
const SEPARATOR = "\n";

const encodePayload = (batches: ReadonlyArray<Carried>): Payload => {
  const events = batches.flatMap((batch) => batch.events);
  const column = (value: (event: Event) => string | number | null): string =>
    events.map(value).join(SEPARATOR);
  return {
    version: PAYLOAD_VERSION,
    parts: batches.map((batch) => ({
      events: batch.events.length,
      duplicates: batch.duplicates,
      conflicts: batch.conflicts,
      ...(batch.trace && { trace: [batch.trace.traceId, batch.trace.spanId] as const }),
    })),
    columns: {
      accountId: column((event) => event.accountId),
      eventId: column((event) => event.eventId),
      userId: column((event) => event.userId),
      type: column((event) => event.type),
      occurredAt: column((event) => event.occurredAt),
      // Null joins as nothing, which is no JSON text.
      metadata: column((event) => event.metadata),
      fingerprint: column((event) => event.fingerprint),
    },
  };
};

/** A batch that goes on with its trace, if it has one. */
export const carried = (batch: Batch, trace: TraceContext | undefined): Carried =>
  trace === undefined ? batch : { ...batch, trace };

/** pg-boss hands out the highest first. */
const PRIORITIES: Readonly<Record<Lane, number>> = { normal: 0, behind: -1 };

/** A row to insert. Its key says how many events it holds, so that a backlog is counted without its payloads. */
export const rowWith = (id: string, batches: ReadonlyArray<Carried>, lane: Lane = "normal") => ({
  id,
  data: encodePayload(batches),
  priority: PRIORITIES[lane],
  singletonKey: String(batches.reduce((sum, { events }) => sum + events.length, 0)),
});

/** The batches of a row; undefined when this build cannot read it, being older or the row broken. */
export const decodePayload = (payload: Payload): ReadonlyArray<Carried> | undefined => {
  if (payload?.version !== PAYLOAD_VERSION) return undefined;
  try {
    const events = eventsOf(payload);
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

const eventsOf = ({ parts, columns }: Payload): ReadonlyArray<Event> => {
  const count = parts.reduce((sum, { events }) => sum + events, 0);
  const read = (column: Column): ReadonlyArray<string> => {
    const values = count === 0 ? [] : columns[column].split(SEPARATOR);
    if (values.length !== count) throw new RangeError(`${column} has ${values.length} values`);
    return values;
  };
  const accountId = read("accountId");
  const eventId = read("eventId");
  const userId = read("userId");
  const type = read("type");
  const occurredAt = read("occurredAt");
  const metadata = read("metadata");
  const fingerprint = read("fingerprint");
  return accountId.map((account, i) => ({
    accountId: account,
    eventId: eventId[i] ?? "",
    userId: userId[i] ?? "",
    type: type[i] ?? "",
    occurredAt: Number(occurredAt[i]),
    metadata: metadata[i] || null,
    fingerprint: Number(fingerprint[i]),
  }));
};
