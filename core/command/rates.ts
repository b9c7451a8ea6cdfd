/** What a name sent is forgotten by half in this time. */
const HALF_LIFE_MS = 5_000;

/** What fades with this half-life adds up to so many times what comes in during a second. */
const SECONDS_HELD = HALF_LIFE_MS / 1_000 / Math.LN2;

/** At this unit weights are brought back to their scale, and names go of which less than an event is left. */
const RESCALE_AT = 2;

/** How many names are told apart at most; past it the half that sent least is dropped. */
export const NAMES_MAX = 8_192;

/** How many events a second each of many names sent lately. */
export interface Rates {
  readonly add: (name: string, events: number, now: number) => void;
  /** Events a second of one name; 0 for one that is not tracked. */
  readonly of: (name: string, now: number) => number;
  /** Events a second of all names together, also of those that are not tracked. */
  readonly total: (now: number) => number;
  /** Events a second of a tracked name on average. */
  readonly average: (now: number) => number;
  /** How many names are tracked. */
  readonly size: () => number;
}

/**
 * Rates that fade with time, of at most `NAMES_MAX` names, however many there are. Dropping the lighter half costs a
 * sort of `NAMES_MAX` numbers once for every `NAMES_MAX / 2` new names, so an attacker who makes up names pays more
 * than the service does. A name that sent more than `2 / NAMES_MAX` of everything is never dropped.
 */
export const makeRates = (): Rates => {
  /** In units that grow as time goes on, so that the past fades without being touched. */
  const weights = new Map<string, number>();
  let total = 0;
  /** When the unit was 1. */
  let epoch: number | undefined;
  let last = 0;
  /** The unit at `last`. */
  let unit = 1;

  /** The unit at a moment. It is worked out once for all events of a batch. */
  const unitAt = (now: number): number => {
    if (now === last) return unit;
    epoch ??= now;
    // A clock that is set back lets no time pass, neither now nor until it has caught up.
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
    const median = sorted[middle] ?? 0;
    // Of those that weigh the same the oldest go, and only as many as make up the half.
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
