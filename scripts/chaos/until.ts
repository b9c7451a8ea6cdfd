import { setTimeout as delay } from "node:timers/promises";

/** Something did not come about in time. */
class NeverHappened extends Error {
  override readonly name = "NeverHappened";
}

const POLL_MS = 50;

/**
 * Asks again and again until the answer is yes; an attempt that throws is a no.
 *
 * @throws NeverHappened with the last error, if there was one, as its cause
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
      const reason = cause instanceof Error ? `: ${cause.message}` : "";
      throw new NeverHappened(`${what}: not within ${seconds} s${reason}`, { cause });
    }
    await delay(POLL_MS);
  }
};
