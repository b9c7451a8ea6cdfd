import { Context, type Effect, type Scope } from "effect";

/** A step was committed: what was known of these accounts before it is out of date. */
export interface Invalidation {
  readonly shard: number;
  /** The accounts whose events are behind `lo` and up to `hi`. */
  readonly accounts: ReadonlyArray<string>;
  readonly lo: number;
  /** The shard's checkpoint since the step. */
  readonly hi: number;
}

/**
 * Tells every process which accounts a step touched, at once but not for sure: one may come late,
 * twice, out of order or never. Who must not miss any compares the ranges with the checkpoints.
 */
export class Invalidations extends Context.Service<
  Invalidations,
  {
    /** Never fails, and waits for no one. */
    readonly publish: (invalidation: Invalidation) => Effect.Effect<void>;
    /** Calls `listener` with what this and the other processes publish, until the scope closes. */
    readonly subscribe: (
      listener: (invalidation: Invalidation) => void,
    ) => Effect.Effect<void, never, Scope.Scope>;
  }
>()("tidemark/projection/Invalidations") {}
