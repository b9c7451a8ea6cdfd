import type { Random } from "effect";

import { seededRandom } from "../shared/random.ts";

/** Random choices that depend only on a seed, on every machine. */
export interface SeededRandom {
  /** At least 0 and less than 1. */
  readonly next: () => number;
  readonly chance: (probability: number) => boolean;
  /** An integer from `min` to `max`, both included. */
  readonly between: (min: number, max: number) => number;
  /** An integer from `min` to `max`, with every order of magnitude equally likely. */
  readonly magnitude: (min: number, max: number) => number;
  readonly pick: <A>(of: ReadonlyArray<A>) => A;
  readonly shuffled: <A>(of: ReadonlyArray<A>) => ReadonlyArray<A>;
  /** The same source as Effect's service, which the jitter of its schedules draws from. */
  readonly service: Random.Random;
}

export const makeSeededRandom = (seed: number): SeededRandom => {
  const next = seededRandom(seed);
  const between = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    magnitude: (min, max) => Math.round(min * (max / min) ** next()),
    pick: (of) => {
      if (of.length === 0) throw new Error("Cannot pick from an empty array");
      return of[between(0, of.length - 1)] as (typeof of)[number];
    },
    shuffled: (of) =>
      of
        .map((one) => ({ one, at: next() }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ one }) => one),
    service: {
      nextDoubleUnsafe: next,
      nextIntUnsafe: () => between(Number.MIN_SAFE_INTEGER / 2, Number.MAX_SAFE_INTEGER / 2),
    },
  };
};
