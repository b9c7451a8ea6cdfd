import { Clock, Data, Effect } from "effect";

import type { Batch } from "../event/batch.ts";
import type { Principal } from "./principal.ts";

/** Somebody, or one of their accounts, has sent as many events as may be in this minute. */
export class QuotaExceeded extends Data.TaggedError("QuotaExceeded")<{
  readonly retryAfterSeconds: number;
}> {}

/** One quota that a batch touches, and by how much. */
export interface Charge {
  /** Names what is bounded: an account or a key. */
  readonly name: string;
  readonly events: number;
  readonly perMinute: number;
}

/** Where quotas are counted. Times are milliseconds since the Unix epoch. */
export interface TokenBuckets {
  /** Takes all charges, or none when one quota is used up: then it says after how many seconds there is something again. */
  readonly take: (charges: ReadonlyArray<Charge>, now: number) => Effect.Effect<number | undefined>;
  /**
   * Gives back what `take` took for these very charges, since nothing came of it. No bucket holds more than a minute's
   * worth afterwards.
   */
  readonly giveBack: (charges: ReadonlyArray<Charge>, now: number) => Effect.Effect<void>;
}

/** How many events a minute an account may send; undefined for as many as it likes. */
export type AccountQuota = (accountId: string) => number | undefined;

/** Bounds how many events a key, and an account, may send. */
export interface Quotas {
  /** Every quota that a batch touches, and by how much; none where nothing is bounded. */
  readonly chargesOf: (principal: Principal, batch: Batch) => ReadonlyArray<Charge>;
  /** Counts charges: all, or none. */
  readonly take: (charges: ReadonlyArray<Charge>) => Effect.Effect<void, QuotaExceeded>;
  /** Gives back charges that were taken, once. */
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

/** Nothing is bounded. */
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
