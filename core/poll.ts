import { Effect, type Duration } from "effect";

import type { Signal } from "./signal.ts";

/** How long an idle loop waits at first: what another process wrote is seen within about this time. */
export const POLL_MIN_MS = 20;

/** How long an idle loop waits at most: an idle service costs four looks a second. */
export const POLL_MAX_MS = 250;

/** How long a loop waits after a look that failed because a dependency is away. */
const AWAY_DELAY: Duration.Input = "500 millis";

/**
 * Looks for work again and again: at once while there is some, then after waits that double from
 * `POLL_MIN_MS` to `POLL_MAX_MS`, or when `signal` is raised. A look runs to its end even when the
 * loop is interrupted, so that a shutdown finishes what was begun.
 *
 * @param look does what work there is and says whether there was any
 * @param onAway is told of each failed look; the loop then goes on by itself
 */
export const poll = <E, R, R2>(
  look: Effect.Effect<boolean, E, R>,
  signal: Signal,
  onAway: (error: E) => Effect.Effect<void, never, R2>,
): Effect.Effect<never, never, R | R2> => {
  let idleMs = POLL_MIN_MS;
  const once = Effect.matchEffect(Effect.uninterruptible(look), {
    onSuccess: (busy) => {
      if (busy) {
        idleMs = POLL_MIN_MS;
        // A fiber that never waits would starve the others of this thread.
        return Effect.yieldNow;
      }
      const wait = signal.wait(idleMs);
      idleMs = Math.min(idleMs * 2, POLL_MAX_MS);
      return wait;
    },
    onFailure: (error) => Effect.andThen(onAway(error), Effect.sleep(AWAY_DELAY)),
  });
  return Effect.forever(once);
};
