import { Clock, Context, Data, Effect } from "effect";

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

/**
 * Where quotas are counted. Takes all charges, or none when one quota is used up: then it says after how
 * many seconds there is something again.
 */
export interface TokenBuckets {
  readonly take: (charges: ReadonlyArray<Charge>, now: number) => Effect.Effect<number | undefined>;
}

/** How many events a minute an account may send; undefined for as many as it likes. */
export type AccountQuota = (accountId: string) => number | undefined;

/** Bounds how many events a key, and an account, may send. Without one provided nothing is bounded. */
export const Quotas = Context.Reference<{
  /** Counts the events of a batch against every quota that it touches: all, or none. */
  readonly take: (principal: Principal, batch: Batch) => Effect.Effect<void, QuotaExceeded>;
}>("tidemark/access/Quotas", { defaultValue: () => ({ take: () => Effect.void }) });

export const makeQuotas = (
  buckets: TokenBuckets,
  quotaOf: AccountQuota,
): (typeof Quotas)["Service"] => ({
  take: Effect.fnUntraced(function* (principal, batch) {
    const charges = chargesOf(principal, batch, quotaOf);
    if (charges.length === 0) return;
    const now = yield* Clock.currentTimeMillis;
    const retryAfterSeconds = yield* buckets.take(charges, now);
    if (retryAfterSeconds !== undefined) return yield* new QuotaExceeded({ retryAfterSeconds });
  }),
});

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
