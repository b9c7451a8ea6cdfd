import { Effect } from "effect";

import type { Invalidation, Invalidations } from "../../core/projection/invalidations.ts";

/** Invalidations within one process. */
export const makeMemoryInvalidations = (): Invalidations["Service"] => {
  const listeners = new Set<(invalidation: Invalidation) => void>();
  return {
    publish: (invalidation) =>
      Effect.sync(() => {
        for (const listener of listeners) listener(invalidation);
      }),
    subscribe: (listener) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => listeners.add(listener)),
          () => Effect.sync(() => listeners.delete(listener)),
        ),
      ),
  };
};
