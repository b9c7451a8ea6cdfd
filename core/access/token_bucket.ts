/**
 * A token bucket: holds at most a minute's worth, and fills at its rate. What is taken may be more than
 * there is, as long as there is something, so that a batch which is larger than the bucket can pass; the
 * next ones wait until the debt is paid. In the long run nothing passes but the rate.
 */
export interface TokenBucket {
  readonly tokens: number;
  /** When it held so many, in milliseconds since the Unix epoch. */
  readonly at: number;
}

/** How many tokens a bucket holds now; it is full when nothing is known of it. */
export const tokensIn = (
  bucket: TokenBucket | undefined,
  perMinute: number,
  now: number,
): number => {
  if (bucket === undefined) return perMinute;
  return Math.min(perMinute, bucket.tokens + (Math.max(0, now - bucket.at) * perMinute) / 60_000);
};

/**
 * A bucket when it was taken from. Where clocks disagree the one that is ahead counts: by the other one
 * it would be filled again and again for the time between the two.
 */
export const bucketWith = (
  tokens: number,
  before: TokenBucket | undefined,
  now: number,
): TokenBucket => ({ tokens, at: Math.max(now, before?.at ?? now) });

/** After how many seconds a bucket that is empty, or in debt, has a token again. */
export const secondsUntilToken = (tokens: number, perMinute: number): number =>
  Math.max(1, Math.ceil(((1 - tokens) * 60) / perMinute));
