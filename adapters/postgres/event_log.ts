import { Effect, Layer } from "effect";

import type { Event, RecordedEvent } from "../../core/event/event.ts";
import {
  type Appended,
  AppendRefused,
  EventLog,
  LogUnavailable,
  ShardBusy,
} from "../../core/log/event_log.ts";
import { asking } from "./ask.ts";
import { bigintArray, float8Array, textArray } from "./binary_array.ts";
import { isDataFault, isLockTimeout } from "./errors.ts";
import { type Database, Databases, type Statement } from "./pool.ts";
import { sqlFile } from "./sql_file.ts";

const unavailable = asking(LogUnavailable);

const APPEND: Statement = {
  name: "append",
  text: "select duplicates, conflicts from tidemark.append($1, $2, $3, $4, $5, $6, $7, $8)",
};
const HEADS: Statement = {
  name: "heads",
  text: "select shard, position from tidemark.log_heads order by shard",
};
const READ = sqlFile(new URL("read_events.sql", import.meta.url));

/**
 * The event log in Postgres. What makes it one is in `db/migrations/0014_rights.sql`.
 *
 * @param control runs the cheap polls that the service depends on, whatever else keeps the database busy
 */
export const makeEventLog = (
  database: Database,
  shards: number,
  control: Database = database,
): EventLog["Service"] => ({
  shards,

  append: (shard, events) =>
    unavailable(
      async (): Promise<Appended> => {
        const [row] = await database.query<AppendRow>(APPEND, appendParameters(shard, events));
        return { duplicates: row?.duplicates ?? [], conflicts: row?.conflicts ?? [] };
      },
      (cause) => {
        if (isDataFault(cause)) return new AppendRefused({ shard, cause });
        return isLockTimeout(cause) ? new ShardBusy({ shard }) : undefined;
      },
    ),

  heads: unavailable((signal) =>
    control.query<{ shard: number; position: number }>(HEADS, [], signal),
  ),

  read: (shard, after, limit) =>
    unavailable(() => database.query<RecordedEvent>(READ, [shard, after, limit])),
});

export const eventLogLayer = (shards: number): Layer.Layer<EventLog, never, Databases> =>
  Layer.effect(
    EventLog,
    Effect.map(Databases, ({ log, control }) => makeEventLog(log, shards, control)),
  );

interface AppendRow {
  readonly duplicates: number[] | null;
  readonly conflicts: number[] | null;
}

/** One array a column: a call has the same parameters whatever the number of events. */
const appendParameters = (shard: number, events: ReadonlyArray<Event>): ReadonlyArray<unknown> => [
  shard,
  textArray(events.map((event) => event.accountId)),
  textArray(events.map((event) => event.eventId)),
  textArray(events.map((event) => event.userId)),
  textArray(events.map((event) => event.type)),
  float8Array(events.map((event) => event.occurredAt)),
  bigintArray(events.map((event) => event.fingerprint)),
  textArray(events.map((event) => event.metadata)),
];
