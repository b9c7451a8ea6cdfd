import { Clock, type Duration, Effect } from "effect";

import type { Signal } from "./signal.ts";

/** The first pause of an idle loop: what another process wrote is found within about this time. */
export const POLL_MIN_MS = 20;

/** The longest pause of an idle loop: an idle service costs four polls a second. */
export const POLL_MAX_MS = 250;

/**
 * The shortest time between the starts of two polls of a busy loop, unless a poll found more than it could take. What
 * accumulates in between is processed together, and the larger a batch, the less each event costs.
 */
export const POLL_PACE_MS = 100;

/**
 * The same for a busy loop that its signal always wakes: somewhat longer than the pace of the loop that raises the
 * signal, so as not to poll just before it.
 */
export const POLL_FOLLOW_MS = 1.5 * POLL_PACE_MS;

/** What a poll found: nothing, everything there was, or more than it could take at once. */
export type Found = "none" | "some" | "more";

/** When a signal wakes a loop: only while it is idle, or always, because the loop that raises it sets the pace. */
export type Wakes = "idle" | "always";

/** The pause after a failure. */
export const FAILED_DELAY: Duration.Input = "500 millis";

/**
 * How long a loop must run without a failure before it counts as working again, in milliseconds: longer than the pause
 * of any of its parts after a failure.
 */
export const RECOVERED_AFTER_MS = 15_000;

/**
 * Polls for work until interrupted: immediately while there is more, `POLL_PACE_MS` after the last poll while there is
 * some (a loop that is always woken: when `signal` is raised, or after `POLL_FOLLOW_MS`), then with backoff from
 * `POLL_MIN_MS` to `POLL_MAX_MS`, or when `signal` is raised. An interrupt waits for the current poll, so that a
 * graceful shutdown finishes what was started. (A `Schedule` cannot be woken by a signal.)
 *
 * @param pollOnce does the work there is, and returns how much it found
 * @param onFailed reports a failed poll; the loop then continues
 */
export const poll = <E, R, R2>(
  pollOnce: Effect.Effect<Found, E, R>,
  signal: Signal,
  onFailed: (error: E) => Effect.Effect<void, never, R2>,
  wakes: Wakes = "idle",
): Effect.Effect<never, never, R | R2> => {
  let idleMs = POLL_MIN_MS;
  const once = Effect.gen(function* () {
    const since = yield* Clock.currentTimeMillis;
    const found = yield* Effect.uninterruptible(pollOnce);
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
    Effect.catch((error) => Effect.andThen(onFailed(error), Effect.sleep(FAILED_DELAY))),
  );
  return Effect.forever(orWait);
};
