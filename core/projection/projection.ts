import { Context, Data, type Effect } from "effect";

import type { StoreFailure } from "../store_failure.ts";

/** The store of the read models cannot be reached, or gave up for a reason that passes. */
export class ProjectionUnavailable extends Data.TaggedError(
  "ProjectionUnavailable",
)<StoreFailure> {}

/** A range of events cannot be folded, and could not be the next time either: one of them is poison. */
export class ProjectionRefused extends Data.TaggedError("ProjectionRefused")<{
  readonly shard: number;
  readonly cause: unknown;
}> {}

/** What one step did. Nothing, when the shard was caught up or another projector holds its lease. */
export interface Step {
  /** How many events were folded. */
  readonly projected: number;
  /** The shard's checkpoint after the step. */
  readonly checkpoint: number;
  /** The accounts of those events, each once, in any order: what was known of them is out of date. */
  readonly accounts: ReadonlyArray<string>;
}

/** How far a shard's read models have come. */
export interface Checkpoint {
  readonly shard: number;
  readonly position: number;
  /** Which generation of the read models is live: a rebuild puts the next one in its place. */
  readonly generation: number;
}

/** How far a shard's read models are behind its log. */
export interface Lag {
  readonly shard: number;
  readonly head: number;
  readonly checkpoint: number;
  /** Age of the oldest event that is not folded yet, in seconds; 0 when there is none. */
  readonly seconds: number;
}

/**
 * Keeps the read models. A step folds a range of positions and moves the checkpoint in one
 * transaction, so every event counts exactly once, however often a step is tried.
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
     * Records the event at `position` as poisoned and moves the checkpoint past it. Does nothing unless
     * that event is the next one: another projector may have skipped it in the meantime.
     */
    readonly skip: (
      shard: number,
      position: number,
      reason: string,
    ) => Effect.Effect<Step, ProjectionUnavailable>;
    /**
     * Does a piece of the upkeep that keeps summaries of large accounts quick, if any is due, and says
     * whether there was. It can take long, beside the steps; broken off, it is as if it had not begun. It
     * changes how a summary is computed, never what it says.
     */
    readonly upkeep: Effect.Effect<boolean, ProjectionUnavailable>;
    /** The checkpoint of every shard. Cheap enough to be asked for several times a second. */
    readonly checkpoints: Effect.Effect<ReadonlyArray<Checkpoint>, ProjectionUnavailable>;
    /** The lag of every shard, in the order of the shards. */
    readonly lag: Effect.Effect<ReadonlyArray<Lag>, ProjectionUnavailable>;
  }
>()("tidemark/projection/Projection") {}
