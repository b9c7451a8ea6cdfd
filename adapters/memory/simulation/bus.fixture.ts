import { Effect } from "effect";

import type { Invalidation, Invalidations } from "../../../core/projection/invalidations.ts";
import type { Faults } from "./faults.fixture.ts";
import type { SeededRandom } from "./random.fixture.ts";

const LATE_MAX_MS = 300;

/** Invalidations between processes: each may come late or never, to one process and not to another. */
export const makeBus = (random: SeededRandom, faults: Faults): Invalidations["Service"] => {
  const listeners = new Set<(invalidation: Invalidation) => void>();
  return {
    publish: (invalidation) =>
      Effect.forEach(
        [...listeners],
        (listener) => {
          if (faults.happens("unannounced")) return Effect.void;
          const told = Effect.sync(() => listener(invalidation));
          return Effect.forkDetach(Effect.delay(told, random.between(0, LATE_MAX_MS)));
        },
        { discard: true },
      ),
    subscribe: (listener) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => listeners.add(listener)),
          () => Effect.sync(() => listeners.delete(listener)),
        ),
      ),
  };
};
