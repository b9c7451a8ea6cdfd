import { Context, type Effect, type Option } from "effect";

import type { Batch } from "../event/batch.ts";
import type { ReadRefused } from "../fair/client_semaphore.ts";
import type { JobId, QueueUnavailable } from "./queue.ts";

/** Accepted batches that failed in every attempt: one job, or several that had to be given up together. */
export interface DeadLetter {
  /** The id of its job, or an id of its own if it may contain several. */
  readonly id: string;
  /** How many events it contains; null if unknown. */
  readonly events: number | null;
  readonly retries: number;
  /** Why the last attempt failed. */
  readonly failure: string | null;
  /** Milliseconds since the Unix epoch. */
  readonly queuedAt: number;
  /** Milliseconds since the Unix epoch. */
  readonly diedAt: number;
}

/** A dead letter and its content. */
export interface DeadLetterContent {
  readonly letter: DeadLetter;
  /** Its jobs; undefined if this version cannot read them. */
  readonly jobs: ReadonlyArray<{ readonly id: JobId; readonly batch: Batch }> | undefined;
  /** What the queue stores, for an operator to inspect. */
  readonly payload: unknown;
}

/**
 * The accepted batches that could not be appended. Each stays until an operator redrives or deletes it.
 * They are found by their own id, or by that of a job in them.
 */
export class DeadLetters extends Context.Service<
  DeadLetters,
  {
    /** At most `limit`, oldest first. */
    readonly list: (
      limit: number,
    ) => Effect.Effect<ReadonlyArray<DeadLetter>, QueueUnavailable | ReadRefused>;
    readonly find: (
      id: string,
    ) => Effect.Effect<Option.Option<DeadLetterContent>, QueueUnavailable | ReadRefused>;
    /**
     * Puts a letter back into the queue: its jobs keep their ids and get all their attempts again. False if
     * it does not exist. The log recognises events that it contains already.
     */
    readonly redrive: (id: string) => Effect.Effect<boolean, QueueUnavailable>;
    /** Deletes a letter and its events permanently. False if it does not exist. */
    readonly drop: (id: string) => Effect.Effect<boolean, QueueUnavailable>;
  }
>()("tidemark/queue/DeadLetters") {}
