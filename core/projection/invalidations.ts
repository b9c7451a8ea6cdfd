import { Context, type Effect, type Scope } from "effect";

/** A step was committed: cached answers about these accounts are stale. */
export interface Invalidation {
  readonly shard: number;
  /** The accounts with events after position `lo` and up to `hi`. */
  readonly accounts: ReadonlyArray<string>;
  readonly lo: number;
  /** The shard's checkpoint after the step. */
  readonly hi: number;
}

/**
 * Publishes to every process which accounts a step touched. Delivery is immediate but not guaranteed: a message may
 * arrive late, twice, out of order or never. A subscriber that must not miss any compares the ranges with the checkpoints.
 */
export class Invalidations extends Context.Service<
  Invalidations,
  {
    /** Never fails, and does not wait for delivery. */
    readonly publish: (invalidation: Invalidation) => Effect.Effect<void>;
    /** Calls `listener` with what all processes publish, this one included, until the scope closes. */
    readonly subscribe: (
      listener: (invalidation: Invalidation) => void,
    ) => Effect.Effect<void, never, Scope.Scope>;
  }
>()("tidemark/projection/Invalidations") {}
