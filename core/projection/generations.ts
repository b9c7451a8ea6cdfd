import { Context, Data, type Effect, type Scope } from "effect";

import type { Lag, ProjectionRefused, ProjectionUnavailable } from "./projection.ts";

/**
 * One complete set of read models. All queries read the live generation, and the projector folds into it;
 * the next one is built alongside it from the log; retired ones are kept until an operator drops them.
 */
export interface Generation {
  /** Starts at 1. A new generation has a higher number than all existing ones. */
  readonly number: number;
  readonly state: "building" | "live" | "retired";
  /** The version of each of its read models, by name. */
  readonly versions: Readonly<Record<string, number>>;
  /** When its build started and when it became live, in milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly flippedAt: number | null;
}

/** Another process is building or dropping a generation. */
export class GenerationsBusy extends Data.TaggedError("GenerationsBusy")<{
  /** Which one, as far as the store knows. */
  readonly holder: string;
}> {}

/**
 * A flip is not possible now, but may be soon: running statements on the live generation took too long to wait for, or a
 * new event cannot be folded, which folding will report.
 */
export class FlipDelayed extends Data.TaggedError("FlipDelayed")<{ readonly cause: unknown }> {}

/** A difference between the live generation and the one that was built from the log. */
export interface Difference {
  readonly shard: number;
  readonly readModel: string;
  /** How many more events the live rows count than the built ones; 0 if they count as many, but different ones. */
  readonly excess: number;
}

/**
 * A generation that is being built. It has its own checkpoints, which a fold moves in the same transaction:
 * a kill loses only the current fold.
 */
export interface Building {
  readonly generation: Generation;
  /** The read models whose rows must equal the live ones, because their version is the same. */
  readonly compared: ReadonlyArray<string>;
  /** How far it lags behind the log, by shard. */
  readonly lag: Effect.Effect<ReadonlyArray<Lag>, ProjectionUnavailable>;
  /** Folds at most `limit` events of a shard and returns how many: 0 at the end of the log. */
  readonly fold: (
    shard: number,
    limit: number,
  ) => Effect.Effect<number, ProjectionUnavailable | ProjectionRefused>;
  /** Does a part of the work that makes reading it as fast as reading the live one; false if none was left. */
  readonly prepare: Effect.Effect<boolean, ProjectionUnavailable>;
  /**
   * Compares the rows of a shard with the live ones, without blocking others: what only one of the two has
   * folded is read from the log, and so are the poison events that the live one has skipped.
   */
  readonly compare: (
    shard: number,
  ) => Effect.Effect<ReadonlyArray<Difference>, ProjectionUnavailable>;
  /**
   * Makes it live and retires the live one, in one transaction. The transaction first folds what the live one is ahead,
   * so checkpoints never move back. No query sees parts of both.
   */
  readonly flip: Effect.Effect<void, ProjectionUnavailable | FlipDelayed>;
}

/** The generations of the read models in a store. */
export class Generations extends Context.Service<
  Generations,
  {
    /** All generations, ordered by number. */
    readonly list: Effect.Effect<ReadonlyArray<Generation>, ProjectionUnavailable>;
    /** How far a generation lags behind the log, by shard. */
    readonly lag: (
      generation: Generation,
    ) => Effect.Effect<ReadonlyArray<Lag>, ProjectionUnavailable>;
    /**
     * Resumes the build of a generation, or starts one. Until the scope closes, no other process can build
     * or drop one.
     */
    readonly build: Effect.Effect<Building, ProjectionUnavailable | GenerationsBusy, Scope.Scope>;
    /** Drops a generation permanently, unless it is live or does not exist. */
    readonly drop: (
      number: number,
    ) => Effect.Effect<"dropped" | "live" | "unknown", ProjectionUnavailable | GenerationsBusy>;
  }
>()("tidemark/projection/Generations") {}
