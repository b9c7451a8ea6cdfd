import { Effect } from "effect";

import { Projection } from "../projection/projection.ts";
import { makeFaultReport } from "../report_faults.ts";
import type { Horizon } from "./horizon.ts";

/** How long the watch rests between two looks. */
export const WATCH_REST_MS = 150;

/** How long an announcement may take to come after its commit is seen. If it is lost, this is the price. */
export const ANNOUNCEMENT_PATIENCE_MS = 100;

/** How long it takes at most until a commit is known that nobody announces: one that just missed a look. */
export const UNANNOUNCED_KNOWN_MS = WATCH_REST_MS + 2 * ANNOUNCEMENT_PATIENCE_MS;

/**
 * Holds a horizon against the checkpoints of all shards, until interrupted. Whatever becomes of the
 * announcements, with a bus between the processes or without one, with a bus that dies in between: a
 * commit is known here within `UNANNOUNCED_KNOWN_MS` and the time of a tiny query, and so is a generation
 * that took another's place.
 *
 * While the database is away nothing is learnt; nothing is committed either, and what is kept is given
 * until its bound.
 */
export const watchCheckpoints = (horizon: Horizon): Effect.Effect<never, never, Projection> =>
  Effect.gen(function* () {
    const projection = yield* Projection;
    const report = yield* makeFaultReport({
      task: "checkpoints",
      failing:
        "The checkpoints cannot be read: what other processes commit is seen late, and kept answers may be old",
      working: "The checkpoints are read again",
    });
    const look = Effect.gen(function* () {
      const checkpoints = yield* projection.checkpoints;
      // Nobody announces it: there is nothing to wait for.
      for (const { generation } of checkpoints) horizon.enter(generation);
      yield* Effect.sleep(ANNOUNCEMENT_PATIENCE_MS);
      for (const { shard, position } of checkpoints) horizon.observe(shard, position);
    });
    return yield* Effect.forever(Effect.andThen(report.watch(look), Effect.sleep(WATCH_REST_MS)));
  });
