import { Context, Data, type Effect, type Option } from "effect";

import type { Batch } from "../event/batch.ts";
import type { ReadRefused } from "../fair/client_semaphore.ts";
import type { StoreFailure } from "../store_failure.ts";
import type { TraceContext } from "../trace.ts";

/** Names one accepted batch: a UUID. */
export type JobId = string;

/** A batch as the queue hands it to a worker. */
export interface Job {
  readonly id: JobId;
  readonly batch: Batch;
  /** How often it was handed out before: 0 on the first attempt. */
  readonly retries: number;
  /** When it came, just before its commit: milliseconds since the Unix epoch, by the clock of who accepted it. */
  readonly queuedAt: number;
  /** The span in which it was enqueued, if that was traced. */
  readonly trace?: TraceContext | undefined;
}

/** What became of the events of a job; the three add up to the events that were queued. */
export interface Counts {
  readonly appended: number;
  readonly duplicates: number;
  readonly conflicts: number;
}

/** How a worker ended its attempt at a job. */
export type Acknowledgement =
  | { readonly _tag: "Completed"; readonly job: Job; readonly counts: Counts }
  | { readonly _tag: "Failed"; readonly job: Job; readonly reason: string };

/**
 * `queued`: waits for a worker. `processing`: a worker has it. `retrying`: an attempt failed, another
 * will follow. `completed`: its events are in the log. `dead`: every attempt failed; it is kept.
 */
export type JobState = "queued" | "processing" | "retrying" | "completed" | "dead";

/** Where a job is. Counts are of the last completed attempt, and zero before. */
export interface JobStatus extends Counts {
  readonly jobId: JobId;
  /** The accounts of its events, each once. */
  readonly accountIds: ReadonlyArray<string>;
  readonly state: JobState;
  /** How many events the batch held, duplicates included. */
  readonly queued: number;
  /** Attempts after the first. */
  readonly retries: number;
  /** Milliseconds since the Unix epoch. */
  readonly queuedAt: number;
  /** Milliseconds since the Unix epoch, or null while it is not at an end. */
  readonly endedAt: number | null;
  /** Why the last attempt failed, or null. */
  readonly failure: string | null;
}

/** How a batch waits: one of a lower priority is handed out only while none of a higher one waits. */
export const PRIORITIES = ["normal", "low", "lowest"] as const;
export type Priority = (typeof PRIORITIES)[number];

/**
 * The most bytes of events that one take hands out, as `bytesIn` counts them. A worker has three takes in hand, and
 * each byte of them takes some ten of memory on its way into the log.
 */
export const FETCH_BYTES_MAX = 4 * 1024 * 1024;

/** What waits in the queue, and what nobody works on any more. */
export interface Backlog {
  /** Events of jobs that wait for an attempt. */
  readonly events: number;
  /** Age of the oldest of these jobs, in seconds; 0 when there is none. */
  readonly seconds: number;
  /** Jobs whose every attempt failed. */
  readonly deadLetters: number;
}

/** The queue, or what comes behind it, holds as much as it may; try again after `retryAfterSeconds`. */
export class QueueFull extends Data.TaggedError("QueueFull")<{
  readonly retryAfterSeconds: number;
}> {}

/** The queue cannot be reached, or its backlog is not known. Nothing was accepted as far as is known; the same events may be sent again. */
export class QueueUnavailable extends Data.TaggedError("QueueUnavailable")<StoreFailure> {}

/**
 * The durable queue between accepting and appending: at least once. A job that was handed out and not
 * settled (its worker died) is handed out again.
 */
export class Queue extends Context.Service<
  Queue,
  {
    /** Stores a batch; succeeds only after it is committed. */
    readonly enqueue: (
      batch: Batch,
      priority?: Priority,
    ) => Effect.Effect<JobId, QueueFull | QueueUnavailable>;
    /**
     * Hands out at most about `eventsMax` events' worth of jobs and `FETCH_BYTES_MAX` bytes, by priority and then oldest
     * first; empty when none waits.
     */
    readonly fetch: (eventsMax: number) => Effect.Effect<ReadonlyArray<Job>, QueueUnavailable>;
    /**
     * Says that these jobs are still being worked on. Without it for some seconds their worker counts as
     * dead, and they are handed out again.
     */
    readonly heartbeat: (jobs: ReadonlyArray<Job>) => Effect.Effect<void, QueueUnavailable>;
    /** Ends the attempts at jobs that `take` handed out together, all of them in one call. */
    readonly acknowledge: (
      acknowledgements: ReadonlyArray<Acknowledgement>,
    ) => Effect.Effect<void, QueueUnavailable>;
    /** The status of a job; none when it is unknown or was forgotten some time after its end. */
    readonly find: (
      id: JobId,
    ) => Effect.Effect<Option.Option<JobStatus>, QueueUnavailable | ReadRefused>;
    /** What waits. Cheap enough to be asked for several times a second. */
    readonly backlog: Effect.Effect<Backlog, QueueUnavailable>;
  }
>()("tidemark/queue/Queue") {}
