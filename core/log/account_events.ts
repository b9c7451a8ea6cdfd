import { Context, type Effect } from "effect";

import type { RecordedEvent } from "../event/event.ts";
import type { ReadRefused } from "../fair/client_semaphore.ts";
import { utf8Length } from "../utf8.ts";
import type { LogUnavailable } from "./event_log.ts";

/** A page, and the state of the log that it shows. */
export interface AccountEventsPage extends EventsPage {
  /** The page contains only events up to this position. */
  readonly upTo: number;
  /** All events recorded before this instant are included, in milliseconds since the Unix epoch. */
  readonly asOf: number;
}

/**
 * Reads the events of an account from the log, newest first, up to the checkpoint of the projection, so
 * that they agree with summaries.
 */
export class AccountEvents extends Context.Service<
  AccountEvents,
  {
    /**
     * One page, exactly as `pageOf` defines it. Its cost does not depend on where in the list it starts.
     * Pages with the `upTo` of the first one together show the list at one moment, whatever is appended
     * in the meantime.
     */
    readonly page: (
      accountId: string,
      request: PageRequest,
    ) => Effect.Effect<AccountEventsPage, LogUnavailable | ReadRefused>;
  }
>()("tidemark/log/AccountEvents") {}

/** The place of an event among those of its account: by time, then by position. */
export interface EventKey {
  /** Milliseconds since the Unix epoch; infinite if there is no limit. */
  readonly occurredAt: number;
  readonly position: number;
}

/** Which part of the list of an account's events to read; the list starts with the newest event. */
export interface PageRequest {
  /** Only events before this one. `{ occurredAt: to, position: 0 }` is all before the instant `to`. */
  readonly before: EventKey;
  /** Only events at this instant or later; -Infinity for all. */
  readonly from: number;
  /** Only events of this type; null for all. */
  readonly type: string | null;
  /** Only events up to this position; null for all that are folded. */
  readonly upTo: number | null;
  readonly eventsMax: number;
  /** A page ends before the event with which it would have more bytes, but has at least one event. */
  readonly bytesMax: number;
  /** The page ends after this many events were searched for the type. */
  readonly scannedMax: number;
}

export interface EventsPage {
  /** Newest first: by time descending, then by position descending. */
  readonly events: ReadonlyArray<RecordedEvent>;
  /** The next page starts before this event; null at the end. */
  readonly next: EventKey | null;
}

/** About how many bytes the names, quotes and timestamps of an event take as JSON. */
const EVENT_FRAME_BYTES = 200;

/** How many bytes an event counts on a page: about those of its JSON. */
export const bytesOnPage = (event: RecordedEvent): number => {
  const { accountId, eventId, userId, type, metadata } = event;
  const texts = [accountId, eventId, userId, type, metadata ?? ""];
  return texts.reduce((bytes, text) => bytes + utf8Length(text), EVENT_FRAME_BYTES);
};

/**
 * The definition of a page. Every faster implementation is tested against this.
 *
 * @param events of one account, in any order
 * @param checkpoint the last position that is folded
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
