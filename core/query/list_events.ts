import { Effect } from "effect";

import type { RecordedEvent } from "../event/event.ts";
import { AccountEvents, type EventKey } from "../log/account_events.ts";
import { inSpan } from "../trace.ts";

/** How many events a page has: by default, and at most. */
export const PAGE_EVENTS_DEFAULT = 100;
export const PAGE_EVENTS_MAX = 1_000;

/** A page ends before it exceeds this size: a thousand events of 32 KiB would be 32 MiB. */
export const PAGE_BYTES_MAX = 1024 * 1024;

/**
 * How many events are searched for a page of one type, so that a rare type among millions of events costs
 * many short pages instead of one that never ends.
 */
export const PAGE_SCANNED_MAX = 50_000;

/** Which events of an account to list; null is no limit. */
export interface EventsFilter {
  readonly from: number | null;
  readonly to: number | null;
  readonly type: string | null;
}

/** Where a list continues, and the moment that it shows. Contains the filter, so that the list stays the same. */
export interface EventsCursor {
  readonly before: EventKey;
  /** The last position that the list may contain. */
  readonly upTo: number;
  readonly asOf: number;
  readonly filter: EventsFilter;
}

/** A page of the answer to "what exactly happened in this account?" */
export interface EventsList {
  readonly accountId: string;
  readonly events: ReadonlyArray<RecordedEvent>;
  /** Where the list continues; null at its end. Pages before the end may also have fewer events than requested. */
  readonly next: EventsCursor | null;
  /**
   * All events recorded before this instant are in the list, in milliseconds since the Unix epoch. The same on every
   * page, because events recorded after the first page are on none.
   */
  readonly asOf: number;
}

/**
 * The query for an account's events, newest first.
 *
 * @param at the filter of a new list, or the cursor of one to continue
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
