import { MINUTE_MS } from "../time.ts";

/**
 * A token bucket. It holds at most the tokens of one minute and fills at its rate. Any number of tokens may be taken
 * while there is at least one, so a batch larger than the bucket can pass; the next ones wait until the debt is paid. In
 * the long run, exactly the rate passes.
 */
export interface TokenBucket {
  readonly tokens: number;
  /** The time of that count, in milliseconds since the Unix epoch. */
  readonly at: number;
}

/** How many tokens a bucket holds now. An unknown bucket is full. */
export const tokensIn = (
  bucket: TokenBucket | undefined,
  perMinute: number,
  now: number,
): number => {
  if (bucket === undefined) return perMinute;
  return Math.min(
    perMinute,
    bucket.tokens + (Math.max(0, now - bucket.at) * perMinute) / MINUTE_MS,
  );
};

/**
 * A bucket with a new count. If clocks disagree, the one that is ahead counts: with the other one, the
 * time between the two would refill the bucket again and again.
 */
export const bucketWith = (
  tokens: number,
  before: TokenBucket | undefined,
  now: number,
): TokenBucket => ({ tokens, at: Math.max(now, before?.at ?? now) });

/** Seconds until a bucket that is empty or in debt has a token again. */
export const secondsUntilToken = (tokens: number, perMinute: number): number =>
  Math.max(1, Math.ceil(((1 - tokens) * 60) / perMinute));
