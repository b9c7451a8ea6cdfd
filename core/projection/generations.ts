import { Context, Data, type Effect, type Scope } from "effect";

import type { Lag, ProjectionRefused, ProjectionUnavailable } from "./projection.ts";

/**
 * One complete set of read models. The live one is what all queries read and the projector folds into;
 * the next one is built beside it from the log; retired ones are kept until somebody drops them.
 */
export interface Generation {
  /** From 1; each generation that is begun has a higher one than all that there are. */
  readonly number: number;
  readonly state: "building" | "live" | "retired";
  /** The version of each read model that it is built with, by its name. */
  readonly versions: Readonly<Record<string, number>>;
  /** When it was begun and when it became the live one, in milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly flippedAt: number | null;
}

/** Somebody else builds or drops a generation. */
export class GenerationsBusy extends Data.TaggedError("GenerationsBusy")<{
  /** Who, as far as the store can tell. */
  readonly holder: string;
}> {}

/**
 * A flip was not possible and may be a little later: statements that are under way on the live generation
 * took too long to wait for, or an event came that cannot be folded, which folding it tells.
 */
export class FlipDelayed extends Data.TaggedError("FlipDelayed")<{ readonly cause: unknown }> {}

/** Where the live generation says something else than the one that was built from the log. */
export interface Difference {
  readonly shard: number;
  readonly readModel: string;
  /** How many events the live rows count more than the built ones; 0 where they only count others. */
  readonly excess: number;
}

/**
 * A generation that is being built. It has checkpoints of its own, and a fold moves them in the same
 * transaction: whoever is killed has lost nothing but the fold that was under way.
 */
export interface Building {
  readonly generation: Generation;
  /** The read models whose rows must be those of the live one: the ones of the same version. */
  readonly compared: ReadonlyArray<string>;
  /** How far it is behind the log, shard by shard. */
  readonly lag: Effect.Effect<ReadonlyArray<Lag>, ProjectionUnavailable>;
  /** Folds at most `limit` events of a shard and says how many: 0 at the end of the log. */
  readonly fold: (
    shard: number,
    limit: number,
  ) => Effect.Effect<number, ProjectionUnavailable | ProjectionRefused>;
  /**
   * Does a piece of what makes reading it as quick as reading the live one, and says whether there was
   * any left to do.
   */
  readonly prepare: Effect.Effect<boolean, ProjectionUnavailable>;
  /**
   * Compares the rows of a shard with the live ones, without holding up anybody: what only one of the two
   * has folded is taken from the log, and so is what the live one has skipped as poisoned.
   */
  readonly compare: (
    shard: number,
  ) => Effect.Effect<ReadonlyArray<Difference>, ProjectionUnavailable>;
  /**
   * Makes it the live one, in one transaction that folds what it is behind the live one first: checkpoints
   * never go back. What was live is retired. No query sees a part of both.
   */
  readonly flip: Effect.Effect<void, ProjectionUnavailable | FlipDelayed>;
}

/** The generations of the read models in a store. */
export class Generations extends Context.Service<
  Generations,
  {
    /** All that there are, by their numbers. */
    readonly list: Effect.Effect<ReadonlyArray<Generation>, ProjectionUnavailable>;
    /** How far a generation is behind the log, shard by shard. */
    readonly lag: (
      generation: Generation,
    ) => Effect.Effect<ReadonlyArray<Lag>, ProjectionUnavailable>;
    /**
     * Goes on with the generation that is being built, or begins one. Until the scope closes nobody else
     * can build or drop any.
     */
    readonly build: Effect.Effect<Building, ProjectionUnavailable | GenerationsBusy, Scope.Scope>;
    /** Drops a generation for good, unless it is the live one or there is none of that number. */
    readonly drop: (
      number: number,
    ) => Effect.Effect<"dropped" | "live" | "unknown", ProjectionUnavailable | GenerationsBusy>;
  }
>()("tidemark/projection/Generations") {}
