import { present } from "../invariant.ts";
import { SECOND_MS } from "../time.ts";

/** The weight of what a name sent halves in this time. */
const HALF_LIFE_MS = 5_000;

/** With this half-life, a steady rate adds up to the events of this many seconds. */
const SECONDS_HELD = HALF_LIFE_MS / SECOND_MS / Math.LN2;

/** At this unit the weights are rescaled, and names with a weight below one event are dropped. */
const RESCALE_AT = 2;

/** The most names that are tracked. Beyond it, the half with the lowest weight is dropped. */
export const NAMES_MAX = 8_192;

/** How many events a second each of many names has sent lately. */
export interface Rates {
  readonly add: (name: string, events: number, now: number) => void;
  /** Events a second of one name; 0 if it is not tracked. */
  readonly of: (name: string, now: number) => number;
  /** Events a second of all names together, including those that are not tracked. */
  readonly total: (now: number) => number;
  /** Average events a second of a tracked name. */
  readonly average: (now: number) => number;
  /** How many names are tracked. */
  readonly size: () => number;
}

/**
 * Exponentially decaying rates of at most `NAMES_MAX` names. Dropping the lighter half costs one sort of `NAMES_MAX` numbers
 * for every `NAMES_MAX / 2` new names, so made-up names cost an attacker more than the service. A name that sent more than
 * `2 / NAMES_MAX` of everything is never dropped.
 */
export const makeRates = (): Rates => {
  /** In units that grow with time, so that old weights decay without being updated. */
  const weights = new Map<string, number>();
  let total = 0;
  /** When the unit was 1. */
  let epoch: number | undefined;
  let last = 0;
  /** The unit at `last`. */
  let unit = 1;

  /** The unit at a moment, computed once for all events of a batch. */
  const unitAt = (now: number): number => {
    if (now === last) return unit;
    epoch ??= now;
    // If the clock is set back, no time passes until it has caught up.
    if (now < last) epoch -= last - now;
    last = now;
    unit = 2 ** ((now - epoch) / HALF_LIFE_MS);
    return unit;
  };

  const rescale = (now: number): void => {
    const factor = 1 / unitAt(now);
    epoch = now;
    unit = 1;
    total *= factor;
    for (const [name, weight] of weights) {
      const left = weight * factor;
      if (left < 1) weights.delete(name);
      else weights.set(name, left);
    }
  };

  const dropLighterHalf = (): void => {
    const sorted = Float64Array.from(weights.values()).toSorted();
    const middle = sorted.length >> 1;
    const median = present(sorted[middle], "no names to drop");
    // Of equal weights, the oldest are dropped, and only as many as complete the half.
    let equals = middle - sorted.indexOf(median);
    for (const [name, weight] of weights) {
      if (weight < median || (weight === median && equals-- > 0)) weights.delete(name);
    }
  };

  const scaled = (weight: number, now: number): number => weight / unitAt(now) / SECONDS_HELD;

  return {
    add: (name, events, now) => {
      if (unitAt(now) > RESCALE_AT) rescale(now);
      const known = weights.get(name);
      if (known === undefined && weights.size >= NAMES_MAX) dropLighterHalf();
      const weight = events * unitAt(now);
      weights.set(name, (known ?? 0) + weight);
      total += weight;
    },
    of: (name, now) => scaled(weights.get(name) ?? 0, now),
    total: (now) => scaled(total, now),
    average: (now) => scaled(total, now) / Math.max(1, weights.size),
    size: () => weights.size,
  };
};
