import { Clock, type Duration, Effect } from "effect";

import type { Signal } from "./signal.ts";

/** How long an idle loop waits at first: what another process wrote is seen within about this time. */
export const POLL_MIN_MS = 20;

/** How long an idle loop waits at most: an idle service costs four looks a second. */
export const POLL_MAX_MS = 250;

/**
 * How far apart the looks of a busy loop begin at least, unless one found more than it could take: what
 * gathers meanwhile is done in one go, and the more at once the less each event costs.
 */
export const POLL_PACE_MS = 100;

/**
 * How far apart the looks of a busy loop begin that its signal always wakes, when it is not raised: somewhat longer
 * than the pace of who raises it, so as not to look just before.
 */
export const POLL_FOLLOW_MS = 1.5 * POLL_PACE_MS;

/** What a look found: nothing, all that there was, or more than it could take at once. */
export type Found = "none" | "some" | "more";

/**
 * When a signal wakes a loop: while it found nothing, or also while there is some work, because whoever raises the
 * signal keeps a pace.
 */
export type Wakes = "idle" | "always";

/** How long a loop waits after something failed because a dependency is away. */
export const AWAY_DELAY: Duration.Input = "500 millis";

/**
 * How long nothing must have failed before a loop counts as going on, in milliseconds: longer than any part of it waits
 * until it tries again.
 */
export const BACK_AFTER_MS = 15_000;

/**
 * Looks for work again and again: at once while there is more, `POLL_PACE_MS` after the last look while
 * there is some (a loop that is always woken: when `signal` is raised, or after `POLL_FOLLOW_MS`), then after waits
 * that double from `POLL_MIN_MS` to `POLL_MAX_MS`, or when `signal` is raised. A look runs to its end even when the
 * loop is interrupted, so that a shutdown finishes what was begun.
 *
 * @param look does what work there is and says how much there was
 * @param onAway is told of each failed look; the loop then goes on by itself
 */
export const poll = <E, R, R2>(
  look: Effect.Effect<Found, E, R>,
  signal: Signal,
  onAway: (error: E) => Effect.Effect<void, never, R2>,
  wakes: Wakes = "idle",
): Effect.Effect<never, never, R | R2> => {
  let idleMs = POLL_MIN_MS;
  const once = Effect.gen(function* () {
    const since = yield* Clock.currentTimeMillis;
    const found = yield* Effect.uninterruptible(look);
    if (found === "none") {
      const wait = signal.wait(idleMs);
      idleMs = Math.min(idleMs * 2, POLL_MAX_MS);
      return yield* wait;
    }
    idleMs = POLL_MIN_MS;
    if (found === "more") return;
    const took = (yield* Clock.currentTimeMillis) - since;
    if (wakes === "idle") yield* Effect.sleep(Math.max(0, POLL_PACE_MS - took));
    else yield* signal.wait(Math.max(0, POLL_FOLLOW_MS - took));
  });
  const orWait = once.pipe(
    Effect.catch((error) => Effect.andThen(onAway(error), Effect.sleep(AWAY_DELAY))),
  );
  return Effect.forever(orWait);
};
