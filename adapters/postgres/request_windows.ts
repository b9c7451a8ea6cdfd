import { rangeOf, WINDOW_NAMES } from "../../core/summary/range.ts";
import { HOUR_MS } from "../../core/time.ts";
import type { Database } from "./pool.ts";
import { sqlFile } from "./sql_file.ts";

const REQUEST_WINDOW = sqlFile(new URL("request_window.sql", import.meta.url));

/** The lengths of the named windows, in hours: these are kept ready where it pays. */
export const WINDOW_HOURS: ReadonlyArray<number> = WINDOW_NAMES.map((name) => {
  const { from, to } = rangeOf(name, 0);
  return (to - from) / HOUR_MS;
});

/** Asks for windows of an account to be kept ready, which upkeep (`Projection.upkeep`) then does. */
export const requestWindows = async (
  database: Database,
  shard: number,
  accountId: string,
  hours: ReadonlyArray<number>,
): Promise<void> => {
  for (const each of hours) await database.query(REQUEST_WINDOW, [shard, accountId, each]);
};
