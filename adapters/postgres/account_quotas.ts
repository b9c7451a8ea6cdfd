import { Data, type Effect } from "effect";

import type { StoreFailure } from "../../core/store_failure.ts";
import { asking } from "./ask.ts";
import type { Database, Statement } from "./pool.ts";

const ALL: Statement = {
  name: "account_quotas",
  text: `
    select account_id as "accountId", events_per_minute as "eventsPerMinute"
    from tidemark.account_quotas`,
};

export class QuotasUnavailable extends Data.TaggedError("QuotasUnavailable")<StoreFailure> {}

const unavailable = asking(QuotasUnavailable);

/** The accounts that have a quota of their own, in events a minute. They are few. */
export const readAccountQuotas = (
  database: Database,
): Effect.Effect<ReadonlyMap<string, number>, QuotasUnavailable> =>
  unavailable(async (signal) => {
    const rows = await database.query<{ accountId: string; eventsPerMinute: number }>(
      ALL,
      [],
      signal,
    );
    return new Map(rows.map(({ accountId, eventsPerMinute }) => [accountId, eventsPerMinute]));
  });
