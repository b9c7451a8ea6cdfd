import { shardOf } from "../../core/event/shard.ts";
import { invariant } from "../../core/invariant.ts";
import { type Range, rangeOf, WINDOW_NAMES } from "../../core/summary/range.ts";
import { Summaries, SummariesUnavailable } from "../../core/summary/summaries.ts";
import { type ActiveUser, byActivity, type Summary } from "../../core/summary/summary.ts";
import { HOUR_MS } from "../../core/time.ts";
import { failingAs, isStatementTimeout } from "./errors.ts";
import { type Database, portLayer, type Statement } from "./pool.ts";
import { sqlFile } from "./statement.ts";

export const querySummaries = failingAs(SummariesUnavailable);

const SUMMARY = sqlFile(new URL("summary.sql", import.meta.url));
const SAMPLE_ACCOUNTS = sqlFile(new URL("sample_accounts.sql", import.meta.url));
const REQUEST_WINDOW: Statement = {
  name: "request_window",
  text: `
    insert into read_models.window_requests (shard, account_id, hours) values ($1, $2, $3)
    on conflict do nothing`,
};

/** The lengths of the named windows in hours. Only these can be precomputed. */
export const WINDOW_HOURS: ReadonlyArray<number> = WINDOW_NAMES.map((name) => {
  const { from, to } = rangeOf(name, 0);
  return (to - from) / HOUR_MS;
});

/** Requests windows of an account. The upkeep of the projection then builds or advances them. */
export const requestWindows = async (
  database: Database,
  shard: number,
  accountId: string,
  hours: ReadonlyArray<number>,
): Promise<void> => {
  for (const each of hours) await database.query(REQUEST_WINDOW, [shard, accountId, each]);
};

export interface SummariesOptions {
  /**
   * A summary that had to read more events than this requests its window. Reading an event costs
   * about a microsecond; moving a window over it costs about ten.
   */
  readonly correctedMax: number;
}

const SUMMARIES_DEFAULTS: SummariesOptions = { correctedMax: 1_500 };

/** Summaries from the read models and the log in Postgres, exact to the millisecond. */
export const makeSummaries = (
  database: Database,
  shards: number,
  { correctedMax }: SummariesOptions = SUMMARIES_DEFAULTS,
): Summaries["Service"] => ({
  summary: (accountId, range, top) =>
    querySummaries(async (signal) => {
      const shard = shardOf(accountId, shards);
      const hours = windowHours(range);
      const values = [
        shard,
        accountId,
        new Date(range.from).toISOString(),
        new Date(range.to).toISOString(),
        top,
        hours,
      ];
      const requestWindow = async (): Promise<void> => {
        if (hours !== null) await requestWindows(database, shard, accountId, [hours]);
      };
      try {
        const rows = await database.query<SummaryRow>(SUMMARY, values, signal);
        const { summary, corrected } = readRows(rows);
        if (corrected > correctedMax) await requestWindow();
        return summary;
      } catch (error) {
        // So many events that only a window can answer in time.
        if (isStatementTimeout(error)) await requestWindow();
        throw error;
      }
    }),

  sampleAccounts: (limit, prefix) =>
    querySummaries(async (signal) => {
      const values = [shards, limit, prefix];
      const rows = await database.query<{ account_id: string }>(SAMPLE_ACCOUNTS, values, signal);
      return rows.slice(0, limit).map((row) => row.account_id);
    }),
});

export const summariesLayer = (shards: number) =>
  portLayer(Summaries, ({ read }) => makeSummaries(read, shards));

const windowHours = ({ from, to }: Range): number | null => {
  const hours = (to - from) / HOUR_MS;
  return WINDOW_HOURS.includes(hours) ? hours : null;
};

interface SummaryRow {
  readonly kind: "total" | "user" | "corrected" | "checkpoint" | "generation" | "as_of";
  readonly name: string;
  readonly events: number;
}

const readRows = (rows: ReadonlyArray<SummaryRow>) => {
  const totals = new Map<string, number>();
  const topUsers: ActiveUser[] = [];
  const numbers: Partial<Record<SummaryRow["kind"], number>> = {};
  for (const { kind, name, events } of rows) {
    if (kind === "total") totals.set(name, events);
    else if (kind === "user") topUsers.push({ userId: name, events });
    else numbers[kind] = events;
  }
  const { as_of: asOf, checkpoint, corrected, generation } = numbers;
  invariant(
    asOf !== undefined &&
      checkpoint !== undefined &&
      corrected !== undefined &&
      generation !== undefined,
    "a summary has a row of each kind of number",
  );
  // A union of queries guarantees no order.
  const summary: Summary = {
    totals,
    topUsers: topUsers.toSorted(byActivity),
    asOf,
    checkpoint,
    generation,
  };
  return { summary, corrected };
};
