import { Context, Data, type Effect, type Option } from "effect";

import type { Batch } from "../event/batch.ts";
import type { ReadRefused } from "../fair/client_semaphore.ts";
import type { StoreFailure } from "../store_failure.ts";
import type { TraceContext } from "../trace.ts";

/** Names one accepted batch: a UUID. */
export type JobId = string;

/** A batch as the queue delivers it to a worker. */
export interface Job {
  readonly id: JobId;
  readonly batch: Batch;
  /** How often it was delivered before: 0 on the first attempt. */
  readonly retries: number;
  /** When it arrived, just before its commit: milliseconds since the Unix epoch, by the clock of the API process. */
  readonly queuedAt: number;
  /** The span in which it was enqueued, if that was traced. */
  readonly trace?: TraceContext | undefined;
}

/** The outcome for the events of a job. The three add up to the events that were queued. */
export interface Counts {
  readonly appended: number;
  readonly duplicates: number;
  readonly conflicts: number;
}

/** The outcome of a worker's attempt at a job. */
export type Acknowledgement =
  | { readonly _tag: "Completed"; readonly job: Job; readonly counts: Counts }
  | { readonly _tag: "Failed"; readonly job: Job; readonly reason: string };

/**
 * `queued`: waits for a worker. `processing`: a worker has it. `retrying`: an attempt failed, and another
 * will follow. `completed`: its events are in the log. `dead`: every attempt failed; it is kept.
 */
export type JobState = "queued" | "processing" | "retrying" | "completed" | "dead";

/** The state of a job. Its counts are those of the completed attempt, and zero before. */
export interface JobStatus extends Counts {
  readonly jobId: JobId;
  /** The accounts of its events, each once. */
  readonly accountIds: ReadonlyArray<string>;
  readonly state: JobState;
  /** How many events the batch contained, duplicates included. */
  readonly queued: number;
  /** Attempts after the first. */
  readonly retries: number;
  /** Milliseconds since the Unix epoch. */
  readonly queuedAt: number;
  /** Milliseconds since the Unix epoch; null until it ends. */
  readonly endedAt: number | null;
  /** Why the last attempt failed; null if it did not. */
  readonly failure: string | null;
}

/** A batch is delivered only while no batch of a higher priority waits. */
export const PRIORITIES = ["normal", "low", "lowest"] as const;
export type Priority = (typeof PRIORITIES)[number];

/**
 * The most bytes of events in one fetch, as `bytesIn` counts them. A worker has three fetches in flight, and each of their
 * bytes takes about ten bytes of memory on its way into the log.
 */
export const FETCH_BYTES_MAX = 4 * 1024 * 1024;

/** What the queue contains, besides jobs in flight. */
export interface Backlog {
  /** Events of jobs that wait for an attempt. */
  readonly events: number;
  /** Age of the oldest of these jobs, in seconds; 0 if there is none. */
  readonly seconds: number;
  /** Jobs whose every attempt failed. */
  readonly deadLetters: number;
}

/** The backlog of the queue or of the projection is at its limit; try again after `retryAfterSeconds`. */
export class QueueFull extends Data.TaggedError("QueueFull")<{
  readonly retryAfterSeconds: number;
}> {}

/** The queue is unreachable, or its backlog unknown. Whether something was accepted is unknown; it is safe to send the same events again. */
export class QueueUnavailable extends Data.TaggedError("QueueUnavailable")<StoreFailure> {}

/**
 * The durable queue between accepting and appending, with at-least-once delivery: a job that its worker
 * did not acknowledge, because it died, is redelivered.
 */
export class Queue extends Context.Service<
  Queue,
  {
    /** Stores a batch. Succeeds only after the commit. */
    readonly enqueue: (
      batch: Batch,
      priority?: Priority,
    ) => Effect.Effect<JobId, QueueFull | QueueUnavailable>;
    /**
     * Delivers jobs with at most about `eventsMax` events and `FETCH_BYTES_MAX` bytes, by priority and then oldest
     * first; none if none waits.
     */
    readonly fetch: (eventsMax: number) => Effect.Effect<ReadonlyArray<Job>, QueueUnavailable>;
    /**
     * Tells the queue that these jobs are still in flight. After some seconds without a heartbeat, their
     * worker counts as dead and they are redelivered.
     */
    readonly heartbeat: (jobs: ReadonlyArray<Job>) => Effect.Effect<void, QueueUnavailable>;
    /** Ends the attempts at all jobs of one fetch, in one call. */
    readonly acknowledge: (
      acknowledgements: ReadonlyArray<Acknowledgement>,
    ) => Effect.Effect<void, QueueUnavailable>;
    /** The status of a job; none if it is unknown, or was deleted some time after its end. */
    readonly find: (
      id: JobId,
    ) => Effect.Effect<Option.Option<JobStatus>, QueueUnavailable | ReadRefused>;
    /** The backlog. Cheap enough to call several times a second. */
    readonly backlog: Effect.Effect<Backlog, QueueUnavailable>;
  }
>()("tidemark/queue/Queue") {}
