import { shardOf } from "../../core/event/shard.ts";
import { present } from "../../core/invariant.ts";
import { Activity } from "../../core/summary/activity.ts";
import { cutAtHours, type Interval } from "../../core/summary/range.ts";
import type { BucketCount } from "../../core/summary/timeseries.ts";
import { type Database, portLayer } from "./pool.ts";
import { sqlFile } from "./statement.ts";
import { querySummaries } from "./summaries.ts";

const ACTIVITY = sqlFile(new URL("activity.sql", import.meta.url));

const INTERVAL_SQL: Readonly<Record<Interval, string>> = { hour: "1 hour", day: "24 hours" };

/** The activity of accounts from the hourly read model and the log in Postgres. */
export const makeActivity = (database: Database, shards: number): Activity["Service"] => ({
  counts: (accountId, { range, interval, type, countsMax }) =>
    querySummaries(async (signal) => {
      const { head, hours, tail } = cutAtHours(range);
      const instants = [head.from, hours.from, hours.to, tail.to].map((ms) =>
        new Date(ms).toISOString(),
      );
      const values = [
        shardOf(accountId, shards),
        accountId,
        ...instants,
        INTERVAL_SQL[interval],
        type,
        countsMax,
      ];
      const rows = await database.query<Row>(ACTIVITY, values, signal);
      const instant = rows.find((row) => row.start === null);
      return {
        counts: rows.filter(isCount),
        asOf: present(instant, "every shard has a checkpoint").events,
      };
    }),
});

export const activityLayer = (shards: number) =>
  portLayer(Activity, ({ read }) => makeActivity(read, shards));

/** A count, or the one row that has the instant in `events`. */
type Row = BucketCount | { readonly start: null; readonly type: null; readonly events: number };

const isCount = (row: Row): row is BucketCount => row.start !== null;
