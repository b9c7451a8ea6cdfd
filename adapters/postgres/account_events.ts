import type { RecordedEvent } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";
import { present } from "../../core/invariant.ts";
import {
  AccountEvents,
  type AccountEventsPage,
  type EventKey,
} from "../../core/log/account_events.ts";
import { queryLog } from "./event_log.ts";
import { type Database, portLayer } from "./pool.ts";
import { sqlFile } from "./statement.ts";

const ACCOUNT_EVENTS = sqlFile(new URL("account_events.sql", import.meta.url));

/** The events of accounts in Postgres, page by page. */
export const makeAccountEvents = (
  database: Database,
  shards: number,
): AccountEvents["Service"] => ({
  page: (accountId, { before, from, type, upTo, eventsMax, bytesMax, scannedMax }) =>
    queryLog(async (signal) => {
      const values = [
        shardOf(accountId, shards),
        accountId,
        timestamp(from),
        timestamp(before.occurredAt),
        before.position,
        type,
        upTo,
        eventsMax,
        bytesMax,
        scannedMax,
      ];
      return pageIn(await database.query<Row>(ACCOUNT_EVENTS, values, signal));
    }),
});

export const accountEventsLayer = (shards: number) =>
  portLayer(AccountEvents, ({ read }) => makeAccountEvents(read, shards));

/** The columns of the page, which every row repeats. */
interface PageRow {
  readonly upTo: number;
  readonly asOf: number;
  /** How many events were found for the page: one more than requested if there is a next page. */
  readonly listed: number;
  /** The last event that was scanned, if there were too many to scan all. */
  readonly endedAt: number | null;
  readonly endedPosition: number | null;
}

type Row = PageRow & (RecordedEvent | Readonly<Record<keyof RecordedEvent, null>>);

const pageIn = (rows: ReadonlyArray<Row>): AccountEventsPage => {
  const first = present(rows[0], "every shard has a checkpoint");
  const events = rows.flatMap((row) => (row.position === null ? [] : [eventIn(row)]));
  return { events, next: nextOf(first, events), upTo: first.upTo, asOf: first.asOf };
};

const eventIn = (row: PageRow & RecordedEvent): RecordedEvent => {
  const { upTo: _u, asOf: _a, listed: _l, endedAt: _e, endedPosition: _p, ...event } = row;
  return event;
};

const nextOf = (page: PageRow, events: ReadonlyArray<RecordedEvent>): EventKey | null => {
  const last = events.at(-1);
  if (last !== undefined && page.listed > events.length) {
    return { occurredAt: last.occurredAt, position: last.position };
  }
  if (page.endedAt === null || page.endedPosition === null) return null;
  return { occurredAt: page.endedAt, position: page.endedPosition };
};

const timestamp = (ms: number): string => {
  if (Number.isFinite(ms)) return new Date(ms).toISOString();
  return ms > 0 ? "infinity" : "-infinity";
};
