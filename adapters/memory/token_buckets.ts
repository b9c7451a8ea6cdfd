import { Effect } from "effect";
import { LRUCache } from "lru-cache";

import type { TokenBuckets } from "../../core/access/quotas.ts";
import {
  bucketWith,
  secondsUntilToken,
  type TokenBucket,
  tokensIn,
} from "../../core/access/token_bucket.ts";

/** Of more buckets, the least recently used are evicted. An evicted bucket is full again. */
const BUCKETS_MAX = 100_000;

/** Quotas that this process counts alone. */
export const makeMemoryTokenBuckets = (): TokenBuckets => {
  // Not `max`, for which the cache allocates everything in advance.
  const buckets = new LRUCache<string, TokenBucket>({
    maxSize: BUCKETS_MAX,
    sizeCalculation: () => 1,
  });
  return {
    take: (charges, now) =>
      Effect.sync(() => {
        const charged = charges.map(({ name, events, perMinute }) => {
          const tokens = tokensIn(buckets.get(name), perMinute, now);
          const wait = tokens >= 1 ? 0 : secondsUntilToken(tokens, perMinute);
          return { name, wait, bucket: bucketWith(tokens - events, buckets.get(name), now) };
        });
        const wait = Math.max(...charged.map((each) => each.wait));
        if (wait > 0) return wait;
        for (const { name, bucket } of charged) buckets.set(name, bucket);
        return undefined;
      }),

    giveBack: (charges, now) =>
      Effect.sync(() => {
        for (const { name, events, perMinute } of charges) {
          const bucket = buckets.get(name);
          // An evicted bucket is full.
          if (bucket === undefined) continue;
          const tokens = Math.min(perMinute, tokensIn(bucket, perMinute, now) + events);
          buckets.set(name, bucketWith(tokens, bucket, now));
        }
      }),
  };
};
