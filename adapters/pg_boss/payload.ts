import type { Batch } from "../../core/event/batch.ts";
import type { Event } from "../../core/event/event.ts";
import type { Lane } from "../../core/queue/queue.ts";

/** The version of the payload below; a worker leaves one that it does not know to a newer worker. */
const PAYLOAD_VERSION = 1;

/** What a row of the queue carries as JSON. */
export interface Payload {
  readonly version: typeof PAYLOAD_VERSION;
  readonly parts: ReadonlyArray<Part>;
}

interface Part {
  readonly events: ReadonlyArray<EventTuple>;
  readonly duplicates: number;
  readonly conflicts: number;
}

/** An event without its field names, which would be half of the bytes. */
type EventTuple = readonly [
  accountId: string,
  eventId: string,
  userId: string,
  type: string,
  occurredAt: number,
  metadata: string | null,
  fingerprint: number,
];

const encodePayload = (batches: ReadonlyArray<Batch>): Payload => ({
  version: PAYLOAD_VERSION,
  parts: batches.map(({ events, duplicates, conflicts }) => ({
    events: events.map(toTuple),
    duplicates,
    conflicts,
  })),
});

/** pg-boss hands out the highest first. */
const PRIORITIES: Readonly<Record<Lane, number>> = { normal: 0, behind: -1 };

/** A row to insert. Its key says how many events it holds, so that a backlog is counted without its payloads. */
export const rowWith = (id: string, batches: ReadonlyArray<Batch>, lane: Lane = "normal") => ({
  id,
  data: encodePayload(batches),
  priority: PRIORITIES[lane],
  singletonKey: String(batches.reduce((sum, { events }) => sum + events.length, 0)),
});

/** The batches of a row; undefined when this build cannot read it, being older or the row broken. */
export const decodePayload = (payload: Payload): ReadonlyArray<Batch> | undefined => {
  if (payload?.version !== PAYLOAD_VERSION) return undefined;
  try {
    return payload.parts.map(({ events, duplicates, conflicts }) => ({
      events: events.map(fromTuple),
      duplicates,
      conflicts,
    }));
  } catch {
    return undefined;
  }
};

const toTuple = (e: Event): EventTuple => [
  e.accountId,
  e.eventId,
  e.userId,
  e.type,
  e.occurredAt,
  e.metadata,
  e.fingerprint,
];

const fromTuple = ([
  accountId,
  eventId,
  userId,
  type,
  occurredAt,
  metadata,
  fingerprint,
]: EventTuple): Event => ({
  accountId,
  eventId,
  userId,
  type,
  occurredAt,
  metadata,
  fingerprint,
});
