import type { Event, RecordedEvent } from "../../core/event/event.ts";
import { invariant, present } from "../../core/invariant.ts";
import {
  type Appended,
  AppendRefused,
  EventLog,
  LogUnavailable,
  ShardBusy,
} from "../../core/log/event_log.ts";
import { bigintArray, float8Array, textArray } from "./binary_array.ts";
import { failingAs, isDataFault, isLockTimeout } from "./errors.ts";
import { type Database, portLayer, type Statement } from "./pool.ts";
import { sqlFile } from "./statement.ts";

export const queryLog = failingAs(LogUnavailable);

const APPEND: Statement = {
  name: "append",
  text: "select duplicates, conflicts from tidemark.append($1, $2, $3, $4, $5, $6, $7, $8)",
};
const HEADS: Statement = {
  name: "heads",
  text: "select shard, position from tidemark.log_heads order by shard",
};
const READ = sqlFile(new URL("read_events.sql", import.meta.url));
const ENSURE_SHARDS: Statement = {
  name: "ensure_shards",
  text: "select tidemark.ensure_shards($1)",
};

/**
 * Creates the shards of a new log.
 *
 * @throws if the log exists with another number of shards, which cannot change
 */
export const ensureShards = async (database: Database, shards: number): Promise<void> => {
  await database.query(ENSURE_SHARDS, [shards]);
};

/**
 * The event log in Postgres. Its guarantees come from `db/migrations/0001_log.sql` and
 * `db/functions/append.sql`.
 *
 * @param control runs the cheap polls that the service depends on, even if `database` is busy
 */
export const makeEventLog = (
  database: Database,
  shards: number,
  control: Database = database,
): EventLog["Service"] => ({
  shards,

  append: (shard, events) =>
    queryLog(
      async (): Promise<Appended> => {
        const [row] = await database.query<Appended>(APPEND, appendParameters(shard, events));
        const { duplicates, conflicts } = present(row, "an append returns a row");
        const known = new Set([...duplicates, ...conflicts]);
        invariant(
          known.size === duplicates.length + conflicts.length &&
            [...known].every((index) => index >= 0 && index < events.length),
          "an append reports each event at most once",
        );
        return { duplicates, conflicts };
      },
      (cause) => {
        if (isDataFault(cause)) return new AppendRefused({ shard, cause });
        return isLockTimeout(cause) ? new ShardBusy({ shard }) : undefined;
      },
    ),

  heads: queryLog((signal) =>
    control.query<{ shard: number; position: number }>(HEADS, [], signal),
  ),

  read: (shard, after, limit) =>
    queryLog(async () => {
      const events = await database.query<RecordedEvent>(READ, [shard, after, limit]);
      const gap = events.findIndex(({ position }, i) => position !== after + 1 + i);
      invariant(gap === -1, `shard ${shard} has no event at position ${after + 1 + gap}`);
      return events;
    }),
});

export const eventLogLayer = (shards: number) =>
  portLayer(EventLog, ({ log, control }) => makeEventLog(log, shards, control));

/** One array per column, so that every call has the same number of parameters. */
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
