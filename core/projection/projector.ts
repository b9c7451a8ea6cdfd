import { Effect } from "effect";

import { poll } from "../poll.ts";
import { Signals } from "../signal.ts";
import { Invalidations } from "./invalidations.ts";
import { Projection, type ProjectionUnavailable, type Step } from "./projection.ts";

/**
 * The most events that one step folds. Larger steps cost less by the event when catching up; this
 * bounds how long a step holds its shard's lease (some 100 ms).
 */
export const STEP_EVENTS_MAX = 10_000;

/** How many shards one process folds at the same time. */
const SHARDS_AT_ONCE = 2;

/** Keeps the read models up with the log, until interrupted. Any number of projectors may run. */
export const runProjector = Effect.gen(function* () {
  const projection = yield* Projection;
  const signals = yield* Signals;
  const invalidations = yield* Invalidations;

  const stepOn = (shard: number) =>
    Effect.tap(advance(shard, STEP_EVENTS_MAX), ({ projected, checkpoint, accounts }) =>
      projected === 0
        ? Effect.void
        : invalidations.publish({ shard, accounts, lo: checkpoint - projected, hi: checkpoint }),
    );

  const look = Effect.gen(function* () {
    const shards = yield* projection.lagging;
    const steps = yield* Effect.forEach(shards, stepOn, { concurrency: SHARDS_AT_ONCE });
    // Behind the steps: freshness comes first.
    const kept = yield* projection.upkeep;
    return kept || steps.some((step) => step.projected > 0);
  });

  return yield* poll(look, signals.appended, (error) =>
    Effect.logWarning("The projector waits: the database is away").pipe(
      Effect.annotateLogs({ reason: error._tag, cause: String(error.cause) }),
    ),
  );
});

/**
 * Takes one step on a shard. When a range is refused, halves it until it folds or is the one poison
 * event, which is recorded and skipped: one bad event never blocks its shard.
 */
export const advance = (
  shard: number,
  limit: number,
): Effect.Effect<Step, ProjectionUnavailable, Projection> =>
  Effect.gen(function* () {
    const projection = yield* Projection;
    return yield* Effect.catchTag(projection.step(shard, limit), "ProjectionRefused", (refused) =>
      limit > 1
        ? advance(shard, Math.floor(limit / 2))
        : Effect.andThen(
            Effect.logError("An event is poisoned and was skipped").pipe(
              Effect.annotateLogs({ shard, cause: String(refused.cause) }),
            ),
            projection.skip(shard, String(refused.cause)),
          ),
    );
  });

/** Folds everything that is in the log now. For tools and tests; the service runs `runProjector`. */
export const catchUp: Effect.Effect<void, ProjectionUnavailable, Projection> = Effect.gen(
  function* () {
    const projection = yield* Projection;
    for (;;) {
      const shards = yield* projection.lagging;
      if (shards.length === 0) return;
      for (const shard of shards) yield* advance(shard, STEP_EVENTS_MAX);
    }
  },
);
