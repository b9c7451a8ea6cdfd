import type { DirectDatabase } from "./direct_database.ts";
import { until } from "./until.ts";

/** The sessions of the service that are doing something, or else all. */
const SESSIONS = `
  select pid from pg_stat_activity
  where application_name = 'tidemark' and pid <> pg_backend_pid()
    and (state = 'active' or not exists (
      select from pg_stat_activity a
      where a.application_name = 'tidemark' and a.pid <> pg_backend_pid() and a.state = 'active'))
  order by pid`;

const WITHIN_MS = 60_000;

/** The process ids of sessions that are worth breaking, as soon as the database tells. */
export const sessionsOf = async (database: DirectDatabase): Promise<ReadonlyArray<number>> => {
  let pids: ReadonlyArray<number> = [];
  await until(
    "the database tells its sessions",
    async () => {
      pids = (await database.query<{ pid: number }>(SESSIONS)).map(({ pid }) => pid);
      return pids.length > 0;
    },
    WITHIN_MS,
  );
  return pids;
};
