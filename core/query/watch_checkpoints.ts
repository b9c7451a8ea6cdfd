import { Effect } from "effect";

import { Projection } from "../projection/projection.ts";
import { makeFaultReport } from "../report_faults.ts";
import type { Horizon } from "./horizon.ts";

/** The pause between two polls. */
export const WATCH_REST_MS = 150;

/** How long an invalidation may take to arrive after its commit is seen. A lost one costs this time. */
export const INVALIDATION_PATIENCE_MS = 100;

/** The longest time until a commit is known whose invalidation was lost, and which a poll just missed. */
export const KNOWN_AFTER_MS = WATCH_REST_MS + 2 * INVALIDATION_PATIENCE_MS;

/**
 * Compares a horizon with the checkpoints of all shards, until interrupted. Whether or not invalidations arrive, with
 * or without a bus between the processes, and even if the bus fails: a commit is known here within `KNOWN_AFTER_MS` and the
 * time of a tiny query, and so is a new live generation.
 *
 * While the database is unavailable it learns nothing. Nothing is committed then either, and cached answers are served
 * until they are too old.
 */
export const watchCheckpoints = (horizon: Horizon): Effect.Effect<never, never, Projection> =>
  Effect.gen(function* () {
    const projection = yield* Projection;
    const report = yield* makeFaultReport({
      task: "checkpoints",
      failing:
        "Cannot read the checkpoints: events from other processes appear late, and cached answers may be stale",
      working: "The checkpoints can be read again",
    });
    const pollOnce = Effect.gen(function* () {
      const checkpoints = yield* projection.checkpoints;
      // Before the pause: a new generation has no invalidation to wait for.
      for (const { generation } of checkpoints) horizon.enter(generation);
      yield* Effect.sleep(INVALIDATION_PATIENCE_MS);
      for (const { shard, position } of checkpoints) horizon.observe(shard, position);
    });
    return yield* Effect.forever(
      Effect.andThen(report.watch(pollOnce), Effect.sleep(WATCH_REST_MS)),
    );
  });
