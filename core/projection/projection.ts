import { Context, Data, type Effect } from "effect";

import type { StoreFailure } from "../store_failure.ts";

/** The store of the read models is unreachable, or gave up for a reason that passes. */
export class ProjectionUnavailable extends Data.TaggedError(
  "ProjectionUnavailable",
)<StoreFailure> {}

/** A range of events cannot be folded, now or later: it contains a poison event. */
export class ProjectionRefused extends Data.TaggedError("ProjectionRefused")<{
  readonly shard: number;
  readonly cause: unknown;
}> {}

/** The result of one step. */
export interface Step {
  /** How many events were folded. */
  readonly projected: number;
  /** The shard's checkpoint after the step. */
  readonly checkpoint: number;
  /** The accounts of those events, each once, in any order. Cached answers about them are stale. */
  readonly accounts: ReadonlyArray<string>;
  /** When the log recorded the oldest of those events; null if there are none. Milliseconds since the Unix epoch. */
  readonly oldestRecordedAt: number | null;
}

/** The shard was caught up, or another projector holds its lease. */
export const NOTHING_PROJECTED: Step = {
  projected: 0,
  checkpoint: 0,
  accounts: [],
  oldestRecordedAt: null,
};

/** The last position of a shard that the read models include. */
export interface Checkpoint {
  readonly shard: number;
  readonly position: number;
  /** The live generation of the read models. A rebuild replaces it. */
  readonly generation: number;
}

/** How far a shard's read models lag behind its log. */
export interface Lag {
  readonly shard: number;
  readonly head: number;
  readonly checkpoint: number;
  /** Age of the oldest event that is not folded yet, in seconds; 0 if there is none. */
  readonly seconds: number;
}

/**
 * Maintains the read models. A step folds a range of positions and moves the checkpoint in one
 * transaction, so each event counts exactly once, however often a step is retried.
 */
export class Projection extends Context.Service<
  Projection,
  {
    /** The shards whose log is ahead of their read models. */
    readonly lagging: Effect.Effect<ReadonlyArray<number>, ProjectionUnavailable>;
    /** Folds at most `limit` events of a shard. */
    readonly step: (
      shard: number,
      limit: number,
    ) => Effect.Effect<Step, ProjectionUnavailable | ProjectionRefused>;
    /**
     * Records the event at `position` as poison and moves the checkpoint past it. Does nothing unless
     * that event is the next one, because another projector may already have skipped it.
     */
    readonly skip: (
      shard: number,
      position: number,
      reason: string,
    ) => Effect.Effect<Step, ProjectionUnavailable>;
    /**
     * Does one unit of the upkeep that keeps summaries of large accounts fast, and returns whether any was due. It can
     * take long and runs alongside the steps. Interrupting it has no effect. It changes how a summary is computed, never
     * its result.
     */
    readonly upkeep: Effect.Effect<boolean, ProjectionUnavailable>;
    /** The checkpoint of every shard. Cheap enough to call several times a second. */
    readonly checkpoints: Effect.Effect<ReadonlyArray<Checkpoint>, ProjectionUnavailable>;
    /** The lag of every shard, ordered by shard. */
    readonly lag: Effect.Effect<ReadonlyArray<Lag>, ProjectionUnavailable>;
  }
>()("tidemark/projection/Projection") {}
