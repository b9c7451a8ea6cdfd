import { Effect, Layer } from "effect";

import { shardOf } from "../../core/event/shard.ts";
import type { Range } from "../../core/summary/range.ts";
import { Summaries, SummariesUnavailable } from "../../core/summary/summaries.ts";
import { type ActiveUser, byActivity, type Summary } from "../../core/summary/summary.ts";
import { HOUR_MS } from "../../core/time.ts";
import { asking } from "./ask.ts";
import { isStatementTimeout } from "./errors.ts";
import { type Database, Databases } from "./pool.ts";
import { requestWindows, WINDOW_HOURS } from "./request_windows.ts";
import { sqlFile } from "./sql_file.ts";

const unavailable = asking(SummariesUnavailable);

const SUMMARY = sqlFile(new URL("summary.sql", import.meta.url));
const SAMPLE_ACCOUNTS = sqlFile(new URL("sample_accounts.sql", import.meta.url));

export interface SummariesOptions {
  /**
   * A summary that had to read more events than this one by one asks for its window to be kept ready.
   * Reading an event costs about a microsecond; moving a window along over it, ten.
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
    unavailable(async (signal) => {
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
        // So many events that only a window can answer.
        if (isStatementTimeout(error)) await requestWindow();
        throw error;
      }
    }),

  sampleAccounts: (limit, prefix) =>
    unavailable(async (signal) => {
      const values = [shards, limit, prefix];
      const rows = await database.query<{ account_id: string }>(SAMPLE_ACCOUNTS, values, signal);
      return rows.slice(0, limit).map((row) => row.account_id);
    }),
});

export const summariesLayer = (shards: number): Layer.Layer<Summaries, never, Databases> =>
  Layer.effect(
    Summaries,
    Effect.map(Databases, ({ read }) => makeSummaries(read, shards)),
  );

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
  let asOf = 0;
  let corrected = 0;
  let checkpoint = 0;
  let generation = 0;
  for (const { kind, name, events } of rows) {
    if (kind === "total") totals.set(name, events);
    else if (kind === "user") topUsers.push({ userId: name, events });
    else if (kind === "corrected") corrected = events;
    else if (kind === "checkpoint") checkpoint = events;
    else if (kind === "generation") generation = events;
    else asOf = events;
  }
  // A union of queries promises no order.
  const summary: Summary = {
    totals,
    topUsers: topUsers.toSorted(byActivity),
    asOf,
    checkpoint,
    generation,
  };
  return { summary, corrected };
};
