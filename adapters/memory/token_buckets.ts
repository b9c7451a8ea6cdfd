import { Effect } from "effect";

import type { TokenBuckets } from "../../core/access/quotas.ts";
import {
  bucketWith,
  secondsUntilToken,
  type TokenBucket,
  tokensIn,
} from "../../core/access/token_bucket.ts";

/** How many buckets are kept; a forgotten one is full again. */
const BUCKETS_MAX = 100_000;

/** Quotas that this process counts for itself. */
export const makeMemoryTokenBuckets = (): TokenBuckets => {
  const buckets = new Map<string, TokenBucket>();
  return {
    take: (charges, now) =>
      Effect.sync(() => {
        const held = charges.map(({ name, perMinute }) =>
          tokensIn(buckets.get(name), perMinute, now),
        );
        const waits = charges.map(({ perMinute }, i) => {
          const tokens = held[i] ?? 0;
          return tokens >= 1 ? 0 : secondsUntilToken(tokens, perMinute);
        });
        const wait = Math.max(...waits);
        if (wait > 0) return wait;
        for (const [i, { name, events }] of charges.entries()) {
          const bucket = bucketWith((held[i] ?? 0) - events, buckets.get(name), now);
          buckets.delete(name);
          buckets.set(name, bucket);
        }
        for (const name of buckets.keys()) {
          if (buckets.size <= BUCKETS_MAX) break;
          buckets.delete(name);
        }
        return undefined;
      }),

    giveBack: (charges, now) =>
      Effect.sync(() => {
        for (const { name, events, perMinute } of charges) {
          const bucket = buckets.get(name);
          // One that was forgotten meanwhile is full.
          if (bucket === undefined) continue;
          const tokens = Math.min(perMinute, tokensIn(bucket, perMinute, now) + events);
          buckets.set(name, bucketWith(tokens, bucket, now));
        }
      }),
  };
};
