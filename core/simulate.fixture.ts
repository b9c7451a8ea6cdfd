import { Effect, Logger } from "effect";
import { TestClock } from "effect/testing";

/**
 * Runs an effect on a clock of its own, which begins at the epoch and stands still but for
 * `TestClock.adjust`. Nothing is printed.
 *
 * Loops under test are forked detached: a child that cannot be interrupted and waits for the clock would
 * keep a test that failed from ending.
 *
 * @param logged takes what is logged, one line each
 */
export const simulate = <A, E>(effect: Effect.Effect<A, E>, logged: string[] = []): Promise<A> => {
  const logger = Logger.make(({ logLevel, message }) => {
    logged.push(`${logLevel}: ${Array.isArray(message) ? message.join(" ") : String(message)}`);
  });
  return Effect.runPromise(Effect.provide(effect, [TestClock.layer(), Logger.layer([logger])]));
};

/** How often the other fibers may take their turn before a condition counts as never met. */
const TURNS_MAX = 10_000;

/** Lets the other fibers go on, without moving the clock, until a condition holds. */
export const until = Effect.fnUntraced(function* (what: string, condition: () => boolean) {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    if (condition()) return;
    yield* Effect.yieldNow;
  }
  throw new Error(`never happened: ${what}`);
});

/** Lets the other fibers go on, without moving the clock, for long enough to do all that they can. */
export const settled: Effect.Effect<void> = Effect.repeat(Effect.yieldNow, { times: 100 });
