import { setTimeout as sleep } from "node:timers/promises";

import { remedyOf } from "./errors.ts";

/** How long to wait before each retry, in milliseconds, before jitter. */
const DELAYS_MS: ReadonlyArray<number> = [100, 200, 400];

/** A wait is up to this share longer or shorter, so that clients which failed together come apart. */
const JITTER = 0.5;

/** How many retries a process may have ahead of its successes. */
const BUDGET_MAX = 10;

/** What a success adds to the budget: in the long run at most one call in ten is a retry. */
const BUDGET_PER_SUCCESS = 0.1;

/** Runs a call, and again where a new connection or transaction may do. */
export type Retrying = <A>(run: () => Promise<A>, signal?: AbortSignal) => Promise<A>;

export interface RetryingOptions {
  /** Is told of each retry. */
  readonly onRetry?: (error: unknown) => void;
  /** Tests have no time for the default. */
  readonly delaysMs?: ReadonlyArray<number>;
}

/**
 * Makes a runner of retries with one budget for all its calls: while the database is away nearly every
 * call is tried once, and no storm of retries meets it when it comes back. What is run must be safe to
 * run twice, because an answer that was lost looks like a call that failed.
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
        // Ends early when whoever asked has gone.
        const jittered = delayMs * (1 + JITTER * (2 * Math.random() - 1));
        await sleep(jittered, undefined, signal === undefined ? {} : { signal }).catch(() => {
          throw error;
        });
      }
    }
  };
};
