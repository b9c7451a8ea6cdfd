import type { RecordedEvent } from "../event/event.ts";
import { utf8Length } from "../event/utf8.ts";

/** The place of an event among those of its account: by time, then by position. */
export interface EventKey {
  /** Milliseconds since the Unix epoch; infinite where there is no bound. */
  readonly occurredAt: number;
  readonly position: number;
}

/** Which events of an account are asked for: a piece of the list that runs from the newest back. */
export interface PageRequest {
  /** Only events before this one. `{ occurredAt: to, position: 0 }` is all before the instant `to`. */
  readonly before: EventKey;
  /** Only events that occurred at this instant or later; -Infinity for all. */
  readonly from: number;
  /** Only events of this type, or null for all. */
  readonly type: string | null;
  /** Only events up to this position, or null for all that the projector has folded. */
  readonly upTo: number | null;
  readonly eventsMax: number;
  /** A page ends before the event with which it would have more bytes; it has one event at least. */
  readonly bytesMax: number;
  /** How many events to look at for some of the type: beyond them the page ends as it is. */
  readonly scannedMax: number;
}

export interface EventsPage {
  /** Newest first: by time descending, then by position descending. */
  readonly events: ReadonlyArray<RecordedEvent>;
  /** Before which event the next page begins; null at the end. */
  readonly next: EventKey | null;
}

/** Names, quotes and timestamps of an event as JSON take about as much. */
const EVENT_FRAME_BYTES = 200;

/** The bytes that an event counts on a page: close to those of its JSON. */
export const bytesOnPage = (event: RecordedEvent): number => {
  const { accountId, eventId, userId, type, metadata } = event;
  const texts = [accountId, eventId, userId, type, metadata ?? ""];
  return texts.reduce((bytes, text) => bytes + utf8Length(text), EVENT_FRAME_BYTES);
};

/**
 * The definition of a page. Every faster way to answer is tested against this.
 *
 * @param events of one account, in any order
 * @param checkpoint the last position that the projector has folded
 */
export const pageOf = (
  events: ReadonlyArray<RecordedEvent>,
  checkpoint: number,
  request: PageRequest,
): EventsPage => {
  const upTo = Math.min(checkpoint, request.upTo ?? checkpoint);
  const candidates = events
    .filter((event) => event.occurredAt >= request.from && newestFirst(request.before, event) < 0)
    .toSorted(newestFirst);
  const scanned = candidates.slice(0, request.scannedMax);
  const listed = scanned.filter(
    ({ position, type }) => position <= upTo && (request.type === null || type === request.type),
  );
  const page = listed.slice(0, lengthOf(listed, request));
  const last = page.length < listed.length ? page.at(-1) : scanned[request.scannedMax - 1];
  return { events: page, next: last === undefined ? null : keyOf(last) };
};

/** The order of a page. */
const newestFirst = (a: EventKey, b: EventKey): number =>
  a.occurredAt === b.occurredAt ? b.position - a.position : b.occurredAt - a.occurredAt;

const keyOf = ({ occurredAt, position }: EventKey): EventKey => ({ occurredAt, position });

const lengthOf = (
  listed: ReadonlyArray<RecordedEvent>,
  { eventsMax, bytesMax }: PageRequest,
): number => {
  let bytes = 0;
  const end = listed.findIndex((event, i) => {
    bytes += bytesOnPage(event);
    return i === eventsMax || (i > 0 && bytes > bytesMax);
  });
  return end === -1 ? listed.length : end;
};
