import { seededRandom } from "./random.ts";

/** A repeated event repeats one of the last so many. */
const RECENT_MAX = 10_000;

/** Puts earlier events again in the place of some: a share of them from 0 to 1. */
export function* withRepeats<A>(events: Iterable<A>, share: number, seed: number): Generator<A> {
  const random = seededRandom(seed);
  const recent: A[] = [];
  let i = 0;
  for (const event of events) {
    const again = recent[Math.floor(random() * RECENT_MAX)];
    const repeated = random() < share ? again : undefined;
    if (repeated === undefined) recent[i++ % RECENT_MAX] = event;
    yield repeated ?? event;
  }
}
