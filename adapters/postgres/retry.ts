import { setTimeout as sleep } from "node:timers/promises";

import { remedyOf } from "./errors.ts";

/** The backoff before each retry, in milliseconds, before jitter. */
const DELAYS_MS: ReadonlyArray<number> = [100, 200, 400];

/** A backoff is up to this share longer or shorter, so that calls spread out. */
const JITTER = 0.5;

/** The most retries that a process can save up. */
const BUDGET_MAX = 10;

/** What a success adds to the budget: in the long run at most one call in ten is a retry. */
const BUDGET_PER_SUCCESS = 0.1;

/** Runs a call, and again if a new connection or transaction may succeed. */
export type Retrying = <A>(run: () => Promise<A>, signal?: AbortSignal) => Promise<A>;

export interface RetryingOptions {
  /** Called before each retry. */
  readonly onRetry?: (error: unknown) => void;
  /** For tests: the backoffs. */
  readonly delaysMs?: ReadonlyArray<number>;
}

/**
 * Makes a retry policy with one budget for all calls: while the database is unavailable nearly
 * every call is tried only once, so no storm of retries meets the database when it recovers. Calls
 * must be idempotent, because a lost answer looks like a failed call. Effect's schedules have no
 * such shared budget.
 *
 * @see https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs
 */
export const makeRetrying = ({ onRetry, delaysMs = DELAYS_MS }: RetryingOptions = {}): Retrying => {
  let budget = BUDGET_MAX;

  return async (run, signal) => {
    for (let attempt = 0; ; attempt++) {
      try {
        const value = await run();
        budget = Math.min(BUDGET_MAX, budget + BUDGET_PER_SUCCESS);
        return value;
      } catch (error) {
        const delayMs = delaysMs[attempt];
        if (delayMs === undefined || remedyOf(error) !== "retry" || budget < 1) throw error;
        if (signal?.aborted === true) throw error;
        budget--;
        onRetry?.(error);
        // The wait ends early when the caller has gone.
        const jittered = delayMs * (1 + JITTER * (2 * Math.random() - 1));
        await sleep(jittered, undefined, signal === undefined ? {} : { signal }).catch(() => {
          throw error;
        });
      }
    }
  };
};
