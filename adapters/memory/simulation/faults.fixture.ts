import type { Conditions, Fault } from "./conditions.fixture.ts";
import type { SeededRandom } from "./random.fixture.ts";

/** What a process calls over the wire. */
export const STATIONS = ["queue", "log", "projection", "summaries"] as const;
export type Station = (typeof STATIONS)[number];

/** How a call ends. All but `answered` are seen by the caller alike, or not at all. */
export type Ending = "answered" | "refused" | "answerLost" | "crashBefore" | "crashAfter";

/** What becomes of one call. */
export interface Fate {
  readonly ending: Ending;
  /** How long it takes until it happens, and then until the answer is there, in milliseconds. */
  readonly requestMs: number;
  readonly answerMs: number;
  /** Whether it still happens when its caller dies on the way: a statement was sent, or was not. */
  readonly outlives: boolean;
}

/** Decides what goes wrong, until the storm is over. */
export interface Faults {
  readonly happens: (fault: Fault) => boolean;
  readonly fateOf: (station: Station, name: string) => Fate;
  /** The stations that cannot be reached now. */
  away: ReadonlyArray<Station>;
  readonly isOver: () => boolean;
  /** From here on every call is answered. What was decided before still happens. */
  readonly end: () => void;
  /** Notes a call that begins, and returns what notes its end. */
  readonly begin: () => () => void;
  /** How many calls of the storm have not ended. */
  readonly underWay: () => number;
}

/**
 * What idle loops call several times a second, mostly for nothing. Faults would pile up there, and
 * spare what matters.
 */
const IDLE: ReadonlySet<string> = new Set(["fetch", "lagging", "checkpoints", "backlog"]);
const IDLE_WEIGHT = 0.2;

const QUICK_MS_MAX = 20;
/** A skip waits for the lease of its shard, and meanwhile another projector may be about to skip, too. */
const SKIP_MS_MAX = 400;
const STALL_MIN_MS = 200;

export const makeFaults = (random: SeededRandom, conditions: Conditions): Faults => {
  let over = false;
  let calls = 0;
  const happens = (fault: Fault, weight = 1): boolean =>
    !over && random.chance(conditions.chances[fault] * weight);
  const endingOf = (station: Station, weight: number): Ending => {
    if (faults.away.includes(station) || happens("refused", weight)) return "refused";
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
      // Each wait costs the simulation time: one for a call is enough to mix them, and an idle look
      // has little to be late for.
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
        outlives: random.chance(0.5),
      };
    },
    away: [],
    isOver: () => over,
    end: () => {
      over = true;
      faults.away = [];
    },
    begin: () => {
      if (over) return () => {};
      calls++;
      return () => void calls--;
    },
    underWay: () => calls,
  };
  return faults;
};
