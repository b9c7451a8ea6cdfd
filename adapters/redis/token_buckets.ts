import { Effect } from "effect";

import type { Charge, TokenBuckets } from "../../core/access/quotas.ts";
import { secondsUntilToken } from "../../core/access/token_bucket.ts";
import type { Connection } from "./connection.ts";

/** A bucket that has not been used for this long is full and need not be stored. */
const KEPT_MS = 120_000;

// The same as `tokensIn` and `bucketWith` for each key. Takes from all buckets or from none, and
// then returns how many tokens each one has, which tells how long to wait.
const TAKE = `
local now = tonumber(ARGV[1])
local held = {}
local at = {}
local empty = false
for i, key in ipairs(KEYS) do
  local per_minute = tonumber(ARGV[2 * i])
  local bucket = redis.call('HMGET', key, 'tokens', 'at')
  local tokens = per_minute
  at[i] = now
  if bucket[1] then
    local passed = math.max(0, now - tonumber(bucket[2]))
    tokens = math.min(per_minute, tonumber(bucket[1]) + passed * per_minute / 60000)
    at[i] = math.max(now, tonumber(bucket[2]))
  end
  held[i] = tostring(tokens)
  if tokens < 1 then empty = true end
end
if empty then return held end
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, 'tokens', tostring(tonumber(held[i]) - tonumber(ARGV[2 * i + 1])), 'at', at[i])
  redis.call('PEXPIRE', key, ${KEPT_MS})
end
return {}`;

// Adds to each bucket what was taken from it, up to its capacity. An expired bucket is full.
const GIVE_BACK = `
local now = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  local per_minute = tonumber(ARGV[2 * i])
  local bucket = redis.call('HMGET', key, 'tokens', 'at')
  if bucket[1] then
    local at = math.max(now, tonumber(bucket[2]))
    local filled = (at - tonumber(bucket[2])) * per_minute / 60000
    local tokens = math.min(per_minute, tonumber(bucket[1]) + filled)
    tokens = math.min(per_minute, tokens + tonumber(ARGV[2 * i + 1]))
    redis.call('HSET', key, 'tokens', tostring(tokens), 'at', at)
    redis.call('PEXPIRE', key, ${KEPT_MS})
  end
end`;

/** Quotas that all processes count together; `fallback` counts while Redis is unavailable. */
export const makeRedisTokenBuckets = (
  { redis, breaker, prefix }: Connection,
  fallback: TokenBuckets,
): TokenBuckets => {
  /** Charges that the fallback counted, which must be given back there. */
  const countedByFallback = new WeakSet<ReadonlyArray<Charge>>();
  const run = (script: string, charges: ReadonlyArray<Charge>, now: number) => {
    const keys = charges.map(({ name }) => `${prefix}quota:${name}`);
    const values = charges.flatMap(({ perMinute, events }) => [perMinute, events]);
    return breaker.call("charge", () => redis.eval(script, keys.length, ...keys, now, ...values));
  };
  const take = async (charges: ReadonlyArray<Charge>, now: number) =>
    (await run(TAKE, charges, now)) as ReadonlyArray<string> | undefined;
  return {
    take: (charges, now) =>
      Effect.flatMap(
        Effect.promise(() => take(charges, now)),
        (held) => {
          if (held === undefined) {
            countedByFallback.add(charges);
            return fallback.take(charges, now);
          }
          if (held.length === 0) return Effect.succeed(undefined);
          const waits = charges.map(({ perMinute }, i) => {
            const tokens = Number(held[i]);
            return tokens >= 1 ? 0 : secondsUntilToken(tokens, perMinute);
          });
          return Effect.succeed(Math.max(...waits));
        },
      ),

    // If Redis has become unavailable, the tokens are lost until the buckets fill again.
    giveBack: (charges, now) =>
      countedByFallback.has(charges)
        ? fallback.giveBack(charges, now)
        : Effect.asVoid(Effect.promise(() => run(GIVE_BACK, charges, now))),
  };
};
