import { Clock, Effect, Option } from "effect";

import { accountsIn, type Batch, bytesIn, eventsIn, queuedIn } from "../../core/event/batch.ts";
import {
  type Counts,
  type Job,
  type JobId,
  type JobState,
  type JobStatus,
  PRIORITIES,
  type Priority,
  type Queue,
  type Acknowledgement,
  FETCH_BYTES_MAX,
} from "../../core/queue/queue.ts";
import type { Signal } from "../../core/signal.ts";
import { currentTrace, type TraceContext } from "../../core/trace.ts";

export interface MemoryQueueOptions {
  readonly queued: Signal;
  /** How long a fetched job may stay unacknowledged before it is redelivered. */
  readonly leaseMs: number;
  /** How many times a job is retried before it is dead. */
  readonly retriesMax: number;
}

/** The jobs of a queue in memory, by their ids. */
export type MemoryJobs = Map<JobId, MemoryJob>;

/** One job and its state. */
export interface MemoryJob {
  readonly id: JobId;
  readonly batch: Batch;
  readonly priority: Priority;
  readonly trace: TraceContext | undefined;
  readonly queuedAt: number;
  state: JobState;
  retries: number;
  leasedAt: number;
  counts: Counts;
  endedAt: number | null;
  failure: string | null;
}

const NO_COUNTS: Counts = { appended: 0, duplicates: 0, conflicts: 0 };

/** The queue in memory. It delivers at least once, but does not outlive its process. */
export const makeMemoryQueue = (
  options: MemoryQueueOptions,
  entries: MemoryJobs = new Map(),
): Queue["Service"] => {
  const add = (batch: Batch, priority: Priority, queuedAt: number, trace?: TraceContext): JobId => {
    const id = crypto.randomUUID();
    entries.set(id, {
      id,
      batch,
      priority,
      trace,
      queuedAt,
      state: "queued",
      retries: 0,
      leasedAt: 0,
      counts: NO_COUNTS,
      endedAt: null,
      failure: null,
    });
    return id;
  };

  const fetchDue = (eventsMax: number, now: number): ReadonlyArray<Job> => {
    const jobs: Job[] = [];
    let events = 0;
    let bytes = 0;
    const byPriority = PRIORITIES.flatMap((priority) =>
      [...entries.values()].filter((entry) => entry.priority === priority),
    );
    for (const entry of byPriority) {
      if (events >= eventsMax) break;
      if (!isDue(entry, now, options.leaseMs)) continue;
      bytes += bytesIn(entry.batch.events);
      if (jobs.length > 0 && bytes > FETCH_BYTES_MAX) break;
      if (entry.state === "processing") entry.retries++;
      entry.state = "processing";
      entry.leasedAt = now;
      events += entry.batch.events.length;
      const { id, batch, retries, queuedAt, trace } = entry;
      jobs.push({ id, batch, retries, queuedAt, ...(trace && { trace }) });
    }
    return jobs;
  };

  const acknowledgeOne = (acknowledgement: Acknowledgement, now: number): void => {
    const entry = entries.get(acknowledgement.job.id);
    // The lease has expired, and another worker has the job: the acknowledgement has no effect.
    if (entry?.state !== "processing" || entry.retries !== acknowledgement.job.retries) return;
    if (acknowledgement._tag === "Completed") {
      Object.assign(entry, { state: "completed", counts: acknowledgement.counts, endedAt: now });
      return;
    }
    entry.failure = acknowledgement.reason;
    if (entry.retries < options.retriesMax) {
      entry.state = "retrying";
      entry.retries++;
    } else {
      entry.state = "dead";
      entry.endedAt = now;
    }
  };

  return {
    enqueue: (batch, priority = "normal") =>
      Effect.zipWith(Clock.currentTimeMillis, currentTrace, (now, trace) =>
        add(batch, priority, now, trace),
      ).pipe(Effect.tap(() => options.queued.raise)),
    fetch: (eventsMax) => Effect.map(Clock.currentTimeMillis, (now) => fetchDue(eventsMax, now)),
    heartbeat: (jobs) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        for (const { id, retries } of jobs) {
          const entry = entries.get(id);
          if (entry?.state === "processing" && entry.retries === retries) entry.leasedAt = now;
        }
      }),
    acknowledge: (acknowledgements) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        for (const acknowledgement of acknowledgements) acknowledgeOne(acknowledgement, now);
      }),
    find: (id) => Effect.sync(() => Option.map(Option.fromUndefinedOr(entries.get(id)), statusOf)),
    backlog: Effect.map(Clock.currentTimeMillis, (now) => {
      const all = [...entries.values()];
      const waiting = all.filter(({ state }) => state === "queued" || state === "retrying");
      const oldest = Math.min(now, ...waiting.map(({ queuedAt }) => queuedAt));
      return {
        events: eventsIn(waiting),
        seconds: (now - oldest) / 1_000,
        deadLetters: all.filter(({ state }) => state === "dead").length,
      };
    }),
  };
};

const isDue = (entry: MemoryJob, now: number, leaseMs: number): boolean =>
  entry.state === "queued" ||
  entry.state === "retrying" ||
  (entry.state === "processing" && entry.leasedAt + leaseMs <= now);

const statusOf = (entry: MemoryJob): JobStatus => ({
  jobId: entry.id,
  accountIds: accountsIn(entry.batch),
  state: entry.state,
  queued: queuedIn(entry.batch),
  ...entry.counts,
  retries: entry.retries,
  queuedAt: entry.queuedAt,
  endedAt: entry.endedAt,
  failure: entry.failure,
});
