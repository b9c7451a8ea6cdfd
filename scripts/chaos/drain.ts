import type { DirectDatabase } from "./direct_database.ts";
import { until } from "./until.ts";

/** Longer than the longest pause between two tries of a job that lost its worker a few times. */
const DRAIN_WITHIN_MS = 180_000;

const BACKLOG = `
  select jobs, events, jobs > 0 or events > 0 as left
  from
    (select count(*) as jobs from tidemark_queue.job
     where name = 'events' and state < 'completed') queue,
    (select sum(h.position - c.position) as events
     from tidemark.log_heads h join read_models.checkpoints c using (shard)) log`;

/** Returns when the queue is empty and everything in the log is folded. */
export const drain = (database: DirectDatabase): Promise<void> =>
  until(
    "the queue is empty and the log folded",
    async () => {
      const [row] = await database.query<{ left: boolean; jobs: string; events: string }>(BACKLOG);
      if (row?.left === false) return true;
      throw new Error(`${row?.jobs} jobs and ${row?.events} events are left`);
    },
    DRAIN_WITHIN_MS,
  );
