import { Effect } from "effect";

import type { RecordedEvent } from "../event/event.ts";
import { AccountEvents } from "../log/account_events.ts";
import type { EventKey } from "../log/events_page.ts";
import { inSpan } from "../trace.ts";

/** How many events a page has unless asked, and at most. */
export const PAGE_EVENTS_DEFAULT = 100;
export const PAGE_EVENTS_MAX = 1_000;

/** A thousand events of 32 KiB would be 32 MiB: a page that comes to so many bytes ends before. */
export const PAGE_BYTES_MAX = 1024 * 1024;

/**
 * How many events are looked at for a page of one type, so that a rare type among millions of events
 * costs many short pages and not one that never comes.
 */
export const PAGE_SCANNED_MAX = 50_000;

/** Which events of an account are listed; null is no bound. */
export interface EventsFilter {
  readonly from: number | null;
  readonly to: number | null;
  readonly type: string | null;
}

/** Where a list goes on, and of which moment it is. Holds the filter, so that it is the same list. */
export interface EventsCursor {
  readonly before: EventKey;
  /** The last position that the list may hold. */
  readonly upTo: number;
  readonly asOf: number;
  readonly filter: EventsFilter;
}

/** The answer to "what exactly happened in this account?", piece by piece. */
export interface EventsList {
  readonly accountId: string;
  readonly events: ReadonlyArray<RecordedEvent>;
  /** Where the list goes on; null at its end. A page may have fewer events than asked for before. */
  readonly next: EventsCursor | null;
  /**
   * Everything recorded before this instant is in the list, in milliseconds since the Unix epoch: the
   * same on every page, since what is recorded after the first page is on none.
   */
  readonly asOf: number;
}

/**
 * The query for an account's events, newest first.
 *
 * @param at the filter of a new list, or where one goes on
 * @errors `LogUnavailable`
 */
export const listEvents = Effect.fnUntraced(function* (
  accountId: string,
  at: EventsFilter | EventsCursor,
  limit: number,
) {
  const cursor = "filter" in at ? at : undefined;
  const filter = "filter" in at ? at.filter : at;
  const port = yield* AccountEvents;
  const page = yield* port.page(accountId, {
    before: cursor?.before ?? {
      occurredAt: filter.to ?? Number.POSITIVE_INFINITY,
      position: 0,
    },
    from: filter.from ?? Number.NEGATIVE_INFINITY,
    type: filter.type,
    upTo: cursor?.upTo ?? null,
    eventsMax: limit,
    bytesMax: PAGE_BYTES_MAX,
    scannedMax: PAGE_SCANNED_MAX,
  });
  const upTo = cursor?.upTo ?? page.upTo;
  const asOf = cursor?.asOf ?? page.asOf;
  const list: EventsList = {
    accountId,
    events: page.events,
    next: page.next === null ? null : { before: page.next, upTo, asOf, filter },
    asOf,
  };
  return list;
}, inSpan("query"));
