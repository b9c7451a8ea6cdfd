import { setTimeout as delay } from "node:timers/promises";

/**
 * Asks `probe` again and again until it answers something other than `undefined`.
 *
 * @param probe what to ask; a throw ends the waiting
 * @param everyMs pause between two questions, in milliseconds
 * @param withinMs when to give up, in milliseconds from now
 * @returns the answer, or `undefined` when time is up
 */
export async function until<T>(
  probe: () => T | undefined | Promise<T | undefined>,
  { everyMs, withinMs }: { everyMs: number; withinMs: number },
): Promise<T | undefined> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (performance.now() >= deadline) return undefined;
    await delay(everyMs);
  }
}
