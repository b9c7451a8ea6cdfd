import { setTimeout as delay } from "node:timers/promises";

/** A condition did not become true in time. */
class NeverHappened extends Error {
  override readonly name = "NeverHappened";
}

const POLL_MS = 50;

/**
 * Polls until a condition is true. An error counts as false.
 *
 * @throws NeverHappened with the last error as its cause, if there was one
 */
export const until = async (
  what: string,
  isTrue: () => Promise<boolean>,
  withinMs: number,
): Promise<void> => {
  const deadline = performance.now() + withinMs;
  let cause: unknown;
  for (;;) {
    try {
      if (await isTrue()) return;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      const seconds = Math.round(withinMs / 1_000);
      const reason = cause instanceof Error ? ` (${cause.message})` : "";
      throw new NeverHappened(`Not within ${seconds} s: ${what}${reason}`, { cause });
    }
    await delay(POLL_MS);
  }
};
