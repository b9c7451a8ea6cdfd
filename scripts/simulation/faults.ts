import { Clock, Effect } from "effect";

import type { Conditions, Fault } from "./conditions.ts";
import type { Fleet } from "./process.ts";
import type { SeededRandom } from "./random.ts";
import type { World } from "./world.ts";

/** What processes call over the network. */
const STATIONS = ["queue", "log", "projection", "summaries"] as const;
export type Station = (typeof STATIONS)[number];

/** How a call ends. The caller cannot tell these apart, except for `answered`. */
type Ending = "answered" | "refused" | "answerLost" | "crashBefore" | "crashAfter";

/** What happens to one call. */
export interface Fate {
  readonly ending: Ending;
  /** The time until it takes effect, and from then until its answer arrives, in milliseconds. */
  readonly requestMs: number;
  readonly answerMs: number;
  /** Whether it still takes effect if its caller dies before: the statement was sent, or was not. */
  readonly outlivesCaller: boolean;
}

/** Decides which faults happen, until `end`. */
export interface Faults {
  readonly happens: (fault: Fault) => boolean;
  readonly fateOf: (station: Station, name: string) => Fate;
  /** The stations that cannot be reached now. */
  unavailable: ReadonlyArray<Station>;
  readonly isOver: () => boolean;
  /** Ends all faults: every later call is answered. Faults that were decided before still happen. */
  readonly end: () => void;
  /** Counts a call as in flight, and returns the function that ends it. */
  readonly begin: () => () => void;
  /** How many calls that began during the faults are still in flight. */
  readonly inFlight: () => number;
}

/**
 * Calls that idle loops make several times a second, mostly without effect. At full probability most faults would
 * happen there, and few where they matter.
 */
const IDLE: ReadonlySet<string> = new Set(["fetch", "lagging", "checkpoints", "backlog"]);
const IDLE_WEIGHT = 0.2;

const QUICK_MS_MAX = 20;
/** A skip waits for the lease of its shard. Another projector may be about to skip as well. */
const SKIP_MS_MAX = 400;
const STALL_MIN_MS = 200;

export const makeFaults = (random: SeededRandom, conditions: Conditions): Faults => {
  let over = false;
  let calls = 0;
  const happens = (fault: Fault, weight = 1): boolean =>
    !over && random.chance(conditions.chances[fault] * weight);
  const endingOf = (station: Station, weight: number): Ending => {
    if (faults.unavailable.includes(station) || happens("refused", weight)) return "refused";
    if (happens("answerLost", weight)) return "answerLost";
    if (happens("crashBefore", weight)) return "crashBefore";
    return happens("crashAfter", weight) ? "crashAfter" : "answered";
  };

  const faults: Faults = {
    happens: (fault) => happens(fault),
    fateOf: (station, name) => {
      const idle = IDLE.has(name);
      const weight = idle ? IDLE_WEIGHT : 1;
      const mostMs = name === "skip" ? SKIP_MS_MAX : QUICK_MS_MAX;
      // Every wait costs the simulation time. One wait a call is enough to interleave them, and idle calls
      // rarely need one.
      const quickMs = idle && random.chance(0.7) ? 0 : random.between(0, mostMs);
      const stallMs = happens("stalled", weight)
        ? random.magnitude(STALL_MIN_MS, conditions.stallMaxMs)
        : 0;
      const waitMs = quickMs + stallMs;
      const early = random.chance(0.5);
      return {
        ending: endingOf(station, weight),
        requestMs: early ? waitMs : 0,
        answerMs: early ? 0 : waitMs,
        outlivesCaller: random.chance(0.5),
      };
    },
    unavailable: [],
    isOver: () => over,
    end: () => {
      over = true;
      faults.unavailable = [];
    },
    begin: () => {
      if (over) return () => {};
      calls++;
      return () => void calls--;
    },
    inFlight: () => calls,
  };
  return faults;
};

const OUTAGE_MS = { min: 100, max: 12_000 };

/** Kills, freezes and stops processes and makes stations unavailable for `stormMs`, and then ends all faults. */
export const storm = Effect.fnUntraced(function* (world: World, fleet: Fleet) {
  const { random, faults, history, conditions } = world;
  const { stormMs, stallMaxMs } = conditions;
  const endsAt = (yield* Clock.currentTimeMillis) + stormMs;

  const outage = Effect.gen(function* () {
    // One database holds all stations, but a single pool or table can be unavailable, too.
    faults.unavailable = random.chance(0.5) ? STATIONS : [random.pick(STATIONS)];
    const ms = random.magnitude(OUTAGE_MS.min, OUTAGE_MS.max);
    history.note("world", `unavailable for ${ms} ms: ${faults.unavailable.join(", ")}`);
    yield* Effect.sleep(ms);
    faults.unavailable = [];
  });

  while ((yield* Clock.currentTimeMillis) < endsAt) {
    yield* Effect.sleep(random.between(100, 1_900));
    const victim = fleet.any();
    if (faults.happens("killed")) victim?.crash("by a signal");
    else if (faults.happens("frozen")) victim?.freeze(random.magnitude(500, stallMaxMs));
    else if (faults.happens("stopped") && victim !== undefined) yield* victim.stop;
    if (faults.happens("outage")) yield* outage;
  }
  faults.end();
  history.note("world", "the faults are over");
});
