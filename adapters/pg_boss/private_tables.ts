import { present } from "../../core/invariant.ts";
import type { DeadLetter } from "../../core/queue/dead_letters.ts";
import { type Backlog, FETCH_BYTES_MAX } from "../../core/queue/queue.ts";
import type { ExecuteSql } from "./boss.ts";
import type { Payload } from "./payload.ts";
import {
  DEAD_LETTER_QUEUE,
  EVENTS_QUEUE,
  QUEUE_SCHEMA,
  ROW_BYTES_MAX,
  ROW_EVENTS_MAX,
} from "./queue_settings.ts";

/**
 * All SQL of ours on pg-boss's tables, which are its own affair: everything here relies on how this
 * version of pg-boss uses them, and everything else in the project goes through its API. Before you
 * install another version, compare its `dist/plans.js` and `dist/migrationStore.js` with what is
 * said below; the test beside this file fails until then.
 */
export const PG_BOSS_VERSION = "12.35.0";

const JOB = `${QUEUE_SCHEMA}.job`;

// `singleton_key` is a column beside the payload. pg-boss makes no use of it in queues without a
// policy, so it stores the size of a row: adding up the backlog, and bounding what is fetched, then
// touch no payload.

/** The `singletonKey` of a row with so many events, and bytes as `bytesIn` counts them. */
export const sizeKey = ({ events, bytes }: { events: number; bytes: number }): string =>
  `${events}:${bytes}`;

/** Null for a row that no build of ours has written. */
const EVENTS_OF_ROW = "nullif(split_part(singleton_key, ':', 1), '')::int";
const BYTES_OF_ROW = "nullif(split_part(singleton_key, ':', 2), '')::int";

/**
 * The rows that wait, in the words of the condition of pg-boss's partial index for fetching, so
 * that the planner can use that index and does not read the rows that ended lately. No row of our
 * queues is ever blocked.
 */
const WAITS = "state < 'active' and not blocked";

/** A row that was fetched, and the number of its attempt. */
export interface FetchedRow {
  readonly id: string;
  readonly retryCount: number;
  readonly data: Payload;
}

/**
 * Fetches rows as pg-boss does (`fetchNextJob` in its plans.js), within bounds that it does not
 * have: at most `rowsMax` rows that contain at most `eventsMax` events and `FETCH_BYTES_MAX` bytes,
 * or one larger row. pg-boss counts rows, which can have 200 bytes or two million. A client that
 * knows how a worker estimates the next batch from the last one could exhaust its memory.
 *
 * The limit is part of the text and the statement is not prepared, so that it is planned for the
 * current backlog. The rows are chosen once and looked up by id: with statistics from a short
 * queue, the planner might execute a join by reading all rows that are kept.
 */
export const fetchRows = async (
  execute: ExecuteSql,
  rowsMax: number,
  eventsMax: number,
): Promise<ReadonlyArray<FetchedRow>> => {
  const { rows } = await execute(`
with candidate as (
  select id, priority, created_on,
    coalesce(${EVENTS_OF_ROW}, ${ROW_EVENTS_MAX}) as events,
    coalesce(${BYTES_OF_ROW}, ${ROW_BYTES_MAX}) as bytes
  from ${JOB}
  where name = '${EVENTS_QUEUE}' and ${WAITS} and start_after <= ${QUEUE_SCHEMA}.job_now()
  order by priority desc, created_on
  limit ${rowsMax}
  for update skip locked
), counted as (
  select id, row_number() over sofar as place, sum(events) over sofar as events, sum(bytes) over sofar as bytes
  from candidate
  window sofar as (order by priority desc, created_on, id rows unbounded preceding)
)
update ${JOB} set
  state = 'active',
  started_on = ${QUEUE_SCHEMA}.job_now(),
  heartbeat_on = ${QUEUE_SCHEMA}.job_now(),
  retry_count = case when started_on is not null then retry_count + 1 else retry_count end
where name = '${EVENTS_QUEUE}' and id = any (array(
  select id from counted
  where place = 1 or (events <= ${eventsMax} and bytes <= ${FETCH_BYTES_MAX})))
returning id, retry_count as "retryCount", data`);
  return rows as ReadonlyArray<FetchedRow>;
};

const BACKLOG = `
select
  coalesce(sum(${EVENTS_OF_ROW}) filter (where name = '${EVENTS_QUEUE}'), 0)::float8 as events,
  coalesce(extract(epoch from now()
    - min(created_on) filter (where name = '${EVENTS_QUEUE}')), 0)::float8 as seconds,
  count(*) filter (where name = '${DEAD_LETTER_QUEUE}')::float8 as "deadLetters"
from ${JOB}
where name = any($1) and ${WAITS}`;

/** Adds up the backlog of both queues. */
export const readBacklog = async (execute: ExecuteSql): Promise<Backlog> => {
  const { rows } = await execute(BACKLOG, [[EVENTS_QUEUE, DEAD_LETTER_QUEUE]], "backlog");
  return present((rows as ReadonlyArray<Backlog>)[0], "an aggregate returns a row");
};

const LETTER = `
  source_id as id,
  ${EVENTS_OF_ROW} as events,
  coalesce(source_retry_count, 0)::int as retries,
  source_output ->> 'message' as failure,
  (extract(epoch from source_created_on) * 1000)::float8 as "queuedAt",
  (extract(epoch from created_on) * 1000)::float8 as "diedAt"`;

const LETTERS = `from ${JOB} where name = '${DEAD_LETTER_QUEUE}'`;

const LIST_LETTERS = `select ${LETTER} ${LETTERS} order by created_on, id limit $1`;

const FIND_LETTERS = `
select ${LETTER}, id as "rowId", singleton_key as "sizeKey", data
${LETTERS} and source_id = any($1::uuid[])`;

const DELETE_FAILED = `
delete from ${JOB} where name = '${EVENTS_QUEUE}' and id = $1 and state = 'failed'`;

/** A row of the dead letter queue. */
export interface DeadLetterRow extends DeadLetter {
  /** Its own id; `id` is that of the row that died. */
  readonly rowId: string;
  readonly data: Payload;
  /** See `sizeKey`; null if no build of ours has written the row. */
  readonly sizeKey: string | null;
}

/** The dead letters, oldest first. */
export const listLetterRows = async (
  execute: ExecuteSql,
  limit: number,
  signal: AbortSignal,
): Promise<ReadonlyArray<DeadLetter>> => {
  const { rows } = await execute(LIST_LETTERS, [limit], undefined, signal);
  return rows as ReadonlyArray<DeadLetter>;
};

/** The dead letters of rows that had one of these ids. */
export const findLetterRows = async (
  execute: ExecuteSql,
  ids: ReadonlyArray<string>,
): Promise<ReadonlyArray<DeadLetterRow>> => {
  const { rows } = await execute(FIND_LETTERS, [ids]);
  return rows as ReadonlyArray<DeadLetterRow>;
};

/** Deletes a failed row, which pg-boss keeps for a while: a redriven row needs its id. */
export const deleteFailedRow = async (execute: ExecuteSql, id: string): Promise<void> => {
  await execute(DELETE_FAILED, [id]);
};

/**
 * Keeps pg-boss, and Postgres on its behalf, from reading the whole job table over and over while
 * requests wait for a processor. The table contains every job that ended within the last 15
 * minutes.
 *
 * - It is analyzed after 50,000 rows were written or changed. With Postgres's defaults a busy queue
 *   is analyzed on every round of autovacuum, which takes a processor 300 ms. The plans on it need
 *   no fresher statistics.
 * - An index covers the active jobs, which are few. Every two seconds pg-boss searches them twice
 *   for jobs of dead workers, and has no index for that.
 * - pg-boss counts all jobs by state each time, for statistics that nothing here reads.
 *   `monitor_backoff_on`, by which it postpones that itself if it takes too long, turns it off.
 */
export const TUNE_JOB_TABLE = `
do $$
declare
  v_jobs constant regclass := '${QUEUE_SCHEMA}.job_common';
  v_option constant text := 'autovacuum_analyze_threshold=50000';
begin
  -- One process at a time: two would both find the index missing, and one of them would fail to
  -- create it.
  perform from ${QUEUE_SCHEMA}.version for update;
  -- Only once: the option waits for a running vacuum, and the index for running writes.
  if not exists (select from pg_class where oid = v_jobs and v_option = any (reloptions)) then
    execute format('alter table %s set (%s)', v_jobs, v_option);
  end if;
  if to_regclass('${QUEUE_SCHEMA}.job_common_active') is null then
    execute format('create index job_common_active on %s (name) where state = ''active''', v_jobs);
  end if;
  update ${QUEUE_SCHEMA}.version set monitor_backoff_on = 'infinity'
  where monitor_backoff_on is distinct from 'infinity';
end
$$`;
