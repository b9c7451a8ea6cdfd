import { Clock, Effect } from "effect";

import { type Batch, collapse } from "../event/batch.ts";
import type { Event } from "../event/event.ts";
import { type Job, type Queue, QueueUnavailable, type Acknowledgement } from "./queue.ts";

/** A queue for tests of workers: delivers jobs at least once, and fails on demand. */
export interface FakeQueue {
  readonly service: Queue["Service"];
  /** Adds a job, and returns its id. */
  readonly add: (events: ReadonlyArray<Event>) => string;
  /** The ids of the jobs of each fetch that was not empty. */
  readonly fetches: string[][];
  /** The outcome of each job that was acknowledged. */
  readonly acknowledged: Map<string, Acknowledgement>;
  /** The ids of the jobs of each heartbeat. */
  readonly heartbeats: string[][];
  /** Batches that were enqueued. */
  readonly enqueued: Batch[];
  /** The limit of the last fetch. */
  eventsMax: number;
  /** While true, such calls fail as unavailable. */
  failFetch: () => boolean;
  failAcknowledge: () => boolean;
  failHeartbeat: () => boolean;
  /** Runs before each acknowledgement. */
  onAcknowledge: () => Effect.Effect<void>;
}

interface Entry {
  readonly job: Job;
  /** When it is redelivered if it is not acknowledged. */
  dueAt: number;
}

/** @param leaseMs how long a job may be in flight without a heartbeat before it is redelivered */
export const makeFakeQueue = (leaseMs = 10_000): FakeQueue => {
  const entries = new Map<string, Entry>();
  const unavailable = new QueueUnavailable({ cause: "the queue is unavailable" });

  const fetchDue = (now: number): ReadonlyArray<Job> => {
    const jobs: Job[] = [];
    for (const [id, { job, dueAt }] of entries) {
      if (dueAt > now) continue;
      entries.set(id, { job: { ...job, retries: job.retries + 1 }, dueAt: now + leaseMs });
      // A copy, as from a database: two attempts share no objects.
      const events = job.batch.events.map((event) => ({ ...event }));
      jobs.push({ ...job, batch: { ...job.batch, events } });
    }
    if (jobs.length > 0) fake.fetches.push(jobs.map(({ id }) => id));
    return jobs;
  };

  const fake: FakeQueue = {
    fetches: [],
    heartbeats: [],
    acknowledged: new Map(),
    enqueued: [],
    eventsMax: 0,
    failFetch: () => false,
    failAcknowledge: () => false,
    failHeartbeat: () => false,
    onAcknowledge: () => Effect.void,
    add: (events) => {
      const id = `job-${entries.size + fake.acknowledged.size + 1}`;
      entries.set(id, { job: { id, batch: collapse(events), retries: 0, queuedAt: 0 }, dueAt: 0 });
      return id;
    },
    service: {
      enqueue: (batch) =>
        Effect.sync(() => {
          fake.enqueued.push(batch);
          return `enqueued-${fake.enqueued.length}`;
        }),
      fetch: Effect.fnUntraced(function* (eventsMax: number) {
        if (fake.failFetch()) return yield* unavailable;
        fake.eventsMax = eventsMax;
        return fetchDue(yield* Clock.currentTimeMillis);
      }),
      heartbeat: Effect.fnUntraced(function* (jobs: ReadonlyArray<Job>) {
        if (fake.failHeartbeat()) return yield* unavailable;
        fake.heartbeats.push(jobs.map(({ id }) => id));
        const dueAt = (yield* Clock.currentTimeMillis) + leaseMs;
        for (const { id, retries } of jobs) {
          const entry = entries.get(id);
          // The delivery incremented it.
          if (entry !== undefined && entry.job.retries === retries + 1) entry.dueAt = dueAt;
        }
      }),
      backlog: Effect.die("not needed"),
      acknowledge: Effect.fnUntraced(function* (acknowledgements: ReadonlyArray<Acknowledgement>) {
        yield* fake.onAcknowledge();
        if (fake.failAcknowledge()) return yield* unavailable;
        for (const acknowledgement of acknowledgements) {
          entries.delete(acknowledgement.job.id);
          fake.acknowledged.set(acknowledgement.job.id, acknowledgement);
        }
      }),
      find: () => Effect.die("not needed"),
    },
  };
  return fake;
};
