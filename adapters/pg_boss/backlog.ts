import type { Backlog } from "../../core/queue/queue.ts";
import type { ExecuteSql } from "./boss.ts";
import { DEAD_LETTER_QUEUE, EVENTS_QUEUE, QUEUE_SCHEMA } from "./queue_settings.ts";
import { EVENTS_OF_ROW } from "./row_size.ts";

// The rows that pg-boss's index for fetching holds, in the words of its condition, so that this looks at what waits
// and not at all that ended lately. No row of these queues is ever blocked. `singleton_key` says how many events a
// row holds.
const BACKLOG = `
select
  coalesce(sum(${EVENTS_OF_ROW}) filter (where name = '${EVENTS_QUEUE}'), 0)::float8 as events,
  coalesce(extract(epoch from now()
    - min(created_on) filter (where name = '${EVENTS_QUEUE}')), 0)::float8 as seconds,
  count(*) filter (where name = '${DEAD_LETTER_QUEUE}')::float8 as "deadLetters"
from ${QUEUE_SCHEMA}.job
where name = any($1) and state < 'active' and not blocked`;

/** Adds up what waits. */
export const readBacklog = async (execute: ExecuteSql): Promise<Backlog> => {
  const { rows } = await execute(BACKLOG, [[EVENTS_QUEUE, DEAD_LETTER_QUEUE]], "backlog");
  const [backlog] = rows as ReadonlyArray<Backlog>;
  return backlog ?? { events: 0, seconds: 0, deadLetters: 0 };
};
