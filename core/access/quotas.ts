import { Clock, Data, Effect } from "effect";

import type { Batch } from "../event/batch.ts";
import type { Principal } from "./principal.ts";

/** The quota of a key or an account for this minute is used up. */
export class QuotaExceeded extends Data.TaggedError("QuotaExceeded")<{
  readonly retryAfterSeconds: number;
}> {}

/** How many events of a batch count against one quota. */
export interface Charge {
  /** The account or key that the quota limits. */
  readonly name: string;
  readonly events: number;
  readonly perMinute: number;
}

/** Counts against quotas. Times are milliseconds since the Unix epoch. */
export interface TokenBuckets {
  /** Takes all charges, or none if one quota is used up. Then it returns the seconds until that quota has tokens again. */
  readonly take: (charges: ReadonlyArray<Charge>, now: number) => Effect.Effect<number | undefined>;
  /** Returns what `take` took for these charges. No bucket holds more than the tokens of a minute afterwards. */
  readonly giveBack: (charges: ReadonlyArray<Charge>, now: number) => Effect.Effect<void>;
}

/** How many events a minute an account may send; undefined for no limit. */
export type AccountQuota = (accountId: string) => number | undefined;

/** Limits how many events a key or an account may send. */
export interface Quotas {
  /** What a batch counts against each quota; empty if nothing limits it. */
  readonly chargesOf: (principal: Principal, batch: Batch) => ReadonlyArray<Charge>;
  /** Takes all charges, or none. */
  readonly take: (charges: ReadonlyArray<Charge>) => Effect.Effect<void, QuotaExceeded>;
  /** Returns charges that were taken. Call it at most once. */
  readonly giveBack: (charges: ReadonlyArray<Charge>) => Effect.Effect<void>;
}

export const makeQuotas = (buckets: TokenBuckets, quotaOf: AccountQuota): Quotas => ({
  chargesOf: (principal, batch) => chargesOf(principal, batch, quotaOf),
  take: Effect.fnUntraced(function* (charges) {
    const now = yield* Clock.currentTimeMillis;
    const retryAfterSeconds = yield* buckets.take(charges, now);
    if (retryAfterSeconds !== undefined) return yield* new QuotaExceeded({ retryAfterSeconds });
  }),
  giveBack: (charges) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => buckets.giveBack(charges, now)),
});

/** No quotas. */
export const NO_QUOTAS: Quotas = {
  chargesOf: () => [],
  take: () => Effect.void,
  giveBack: () => Effect.void,
};

const chargesOf = (
  { keyId, eventsPerMinute }: Principal,
  { events }: Batch,
  quotaOf: AccountQuota,
): ReadonlyArray<Charge> => {
  const byAccount = new Map<string, { events: number; readonly perMinute: number }>();
  for (const { accountId } of events) {
    const known = byAccount.get(accountId);
    if (known !== undefined) known.events++;
    else {
      const perMinute = quotaOf(accountId);
      if (perMinute !== undefined) byAccount.set(accountId, { events: 1, perMinute });
    }
  }
  const charges = Array.from(byAccount, ([accountId, charge]): Charge => {
    return { name: `account:${accountId}`, ...charge };
  });
  if (keyId !== undefined && eventsPerMinute !== undefined) {
    charges.push({ name: `key:${keyId}`, events: events.length, perMinute: eventsPerMinute });
  }
  return charges;
};
