import { Context, type Effect, type Option } from "effect";

import type { Batch } from "../event/batch.ts";
import type { ReadRefused } from "../fair/client_semaphore.ts";
import type { JobId, QueueUnavailable } from "./queue.ts";

/** Accepted batches whose every attempt failed: one job, or several that had to be given up together. */
export interface DeadLetter {
  /** Names the letter: the id of its job, or one of its own where it may hold several. */
  readonly id: string;
  /** How many events it holds; null when that cannot be told. */
  readonly events: number | null;
  readonly retries: number;
  /** Why the last attempt failed. */
  readonly failure: string | null;
  /** Milliseconds since the Unix epoch. */
  readonly queuedAt: number;
  /** Milliseconds since the Unix epoch. */
  readonly diedAt: number;
}

/** A dead letter and what it holds. */
export interface DeadLetterContent {
  readonly letter: DeadLetter;
  /** Its jobs; undefined when this build cannot read them. */
  readonly jobs: ReadonlyArray<{ readonly id: JobId; readonly batch: Batch }> | undefined;
  /** What the queue carries, for a person to look at. */
  readonly payload: unknown;
}

/**
 * The accepted batches that could not be appended. Each stays until somebody deals with it. They are
 * found by their id, or by that of a job which they hold.
 */
export class DeadLetters extends Context.Service<
  DeadLetters,
  {
    /** The oldest first, at most `limit`. */
    readonly list: (
      limit: number,
    ) => Effect.Effect<ReadonlyArray<DeadLetter>, QueueUnavailable | ReadRefused>;
    readonly find: (
      id: string,
    ) => Effect.Effect<Option.Option<DeadLetterContent>, QueueUnavailable | ReadRefused>;
    /**
     * Puts a letter back into the queue, its jobs under their own ids and with all their attempts; false
     * if there is none. Events that are in the log already are recognised.
     */
    readonly redrive: (id: string) => Effect.Effect<boolean, QueueUnavailable>;
    /** Forgets a letter for good, and its events with it; false if there is none. */
    readonly drop: (id: string) => Effect.Effect<boolean, QueueUnavailable>;
  }
>()("tidemark/queue/DeadLetters") {}
