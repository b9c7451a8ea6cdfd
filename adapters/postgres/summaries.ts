import { Effect } from "effect";

import { shardOf } from "../../core/event/shard.ts";
import { cutAtHours } from "../../core/summary/hours.ts";
import type { Summaries } from "../../core/summary/summaries.ts";
import { SummariesUnavailable } from "../../core/summary/summaries.ts";
import { type ActiveUser, byActivity, type Summary } from "../../core/summary/summary.ts";
import type { Range } from "../../core/summary/window.ts";
import type { Database } from "./pool.ts";
import { sqlFile } from "./sql_file.ts";

const SUMMARY = sqlFile(new URL("summary.sql", import.meta.url));
const SAMPLE_ACCOUNTS = sqlFile(new URL("sample_accounts.sql", import.meta.url));

/** Summaries from the read models in Postgres, exact to the millisecond. */
export const makeSummaries = (database: Database, shards: number): Summaries["Service"] => ({
  summary: (accountId, range, top) =>
    unavailable(async () => {
      const { head, hours, tail } = cutAtHours(range);
      const bounds = [head, hours, tail].flatMap(timestamps);
      const rows = await database.query<SummaryRow>(SUMMARY, [
        shardOf(accountId, shards),
        accountId,
        ...bounds,
        top,
      ]);
      return summaryOf(rows);
    }),

  sampleAccounts: (limit) =>
    unavailable(async () => {
      const rows = await database.query<{ account_id: string }>(SAMPLE_ACCOUNTS, [shards, limit]);
      return rows.slice(0, limit).map((row) => row.account_id);
    }),
});

interface SummaryRow {
  readonly kind: "total" | "user" | "as_of";
  readonly name: string;
  readonly events: number;
}

const summaryOf = (rows: ReadonlyArray<SummaryRow>): Summary => {
  const totals = new Map<string, number>();
  const topUsers: ActiveUser[] = [];
  let asOf = 0;
  for (const { kind, name, events } of rows) {
    if (kind === "total") totals.set(name, events);
    else if (kind === "user") topUsers.push({ userId: name, events });
    else asOf = events;
  }
  // A union of queries promises no order.
  return { totals, topUsers: topUsers.toSorted(byActivity), asOf };
};

const timestamps = ({ from, to }: Range): ReadonlyArray<string> => [
  new Date(from).toISOString(),
  new Date(to).toISOString(),
];

const unavailable = <A>(query: () => Promise<A>): Effect.Effect<A, SummariesUnavailable> =>
  Effect.tryPromise({ try: query, catch: (cause) => new SummariesUnavailable({ cause }) });
