import { Effect, Logger } from "effect";
import { TestClock } from "effect/testing";

/**
 * Runs an effect on a test clock, which starts at the epoch and moves only with `TestClock.adjust`. Prints nothing.
 *
 * Fork loops under test detached: a child that cannot be interrupted and waits for the clock would keep a failed test from
 * ending.
 *
 * @param logged receives the log, one line per entry
 */
export const simulate = <A, E>(effect: Effect.Effect<A, E>, logged: string[] = []): Promise<A> => {
  const logger = Logger.make(({ logLevel, message }) => {
    logged.push(`${logLevel}: ${Array.isArray(message) ? message.join(" ") : String(message)}`);
  });
  return Effect.runPromise(Effect.provide(effect, [TestClock.layer(), Logger.layer([logger])]));
};

/** How many turns other fibers get before a condition counts as never met. */
const TURNS_MAX = 10_000;

/** Lets other fibers run until a condition holds, without moving the clock. */
export const until = Effect.fnUntraced(function* (what: string, condition: () => boolean) {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    if (condition()) return;
    yield* Effect.yieldNow;
  }
  throw new Error(`never happened: ${what}`);
});

/** Lets other fibers run until they have nothing left to do, without moving the clock. */
export const settled: Effect.Effect<void> = Effect.repeat(Effect.yieldNow, { times: 100 });
