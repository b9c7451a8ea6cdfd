import type { Random } from "effect";

/** Numbers that a seed decides: the same seed, the same numbers, on every machine. */
export interface SeededRandom {
  /** From 0 up to but not including 1. */
  readonly next: () => number;
  /** True about as often as `probability` says. */
  readonly chance: (probability: number) => boolean;
  /** A whole number from `min` to `max`, both included. */
  readonly between: (min: number, max: number) => number;
  /** A whole number from `min` to `max`, of each order of magnitude as often. */
  readonly magnitude: (min: number, max: number) => number;
  readonly pick: <A>(of: ReadonlyArray<A>) => A;
  readonly shuffled: <A>(of: ReadonlyArray<A>) => ReadonlyArray<A>;
  /** The same source as the service that Effect's own jitter draws from. */
  readonly service: Random.Random;
}

/** A source of random numbers: the generator mulberry32. */
export const makeSeededRandom = (seed: number): SeededRandom => {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const between = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    magnitude: (min, max) => Math.round(min * (max / min) ** next()),
    pick: (of) => {
      if (of.length === 0) throw new Error("nothing to pick from");
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
