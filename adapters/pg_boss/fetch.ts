import { FETCH_BYTES_MAX } from "../../core/queue/queue.ts";
import type { ExecuteSql } from "./boss.ts";
import type { Payload } from "./payload.ts";
import { EVENTS_QUEUE, QUEUE_SCHEMA } from "./queue_settings.ts";
import { BYTES_OF_ROW, EVENTS_OF_ROW, ROW_BYTES_MAX, ROW_EVENTS_MAX } from "./row_size.ts";

/** A row that was handed out, and which attempt it is. */
export interface FetchedRow {
  readonly id: string;
  readonly retryCount: number;
  readonly data: Payload;
}

/**
 * Hands out rows as `fetch` of pg-boss 12.35 does (`fetchNextJob` in its plans.js), and as it never could: no more than
 * the given rows, and of these no more than hold `eventsMax` events and `FETCH_BYTES_MAX` bytes, or one row. pg-boss
 * counts rows, which may be 200 bytes or two million, and one who knows that a worker guesses the next from the last
 * would end it for want of memory.
 *
 * The limit is written out and the statement is not prepared, so that it is planned for what waits now. The rows are
 * chosen once and looked up by their ids: as a join the planner, with statistics from when the queue was short, might
 * go through all rows that are kept.
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
  from ${QUEUE_SCHEMA}.job
  where name = '${EVENTS_QUEUE}' and state < 'active' and not blocked
    and start_after <= ${QUEUE_SCHEMA}.job_now()
  order by priority desc, created_on
  limit ${rowsMax}
  for update skip locked
), counted as (
  select id, row_number() over sofar as place, sum(events) over sofar as events, sum(bytes) over sofar as bytes
  from candidate
  window sofar as (order by priority desc, created_on, id rows unbounded preceding)
)
update ${QUEUE_SCHEMA}.job set
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
