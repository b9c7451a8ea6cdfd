import { Clock, Effect } from "effect";

import { type Batch, collapse } from "../event/batch.ts";
import type { Event } from "../event/event.ts";
import { type Job, type Queue, QueueUnavailable, type Acknowledgement } from "./queue.ts";

/** A queue for tests of what works through it: hands jobs out at least once, and fails as told. */
export interface FakeQueue {
  readonly service: Queue["Service"];
  /** Adds a job, and answers its id. */
  readonly add: (events: ReadonlyArray<Event>) => string;
  /** The ids of the jobs of each take that handed out any. */
  readonly takes: string[][];
  /** What became of each job that was acknowledged. */
  readonly acknowledged: Map<string, Acknowledgement>;
  /** The ids of the jobs that each `keep` said are in hand. */
  readonly heartbeats: string[][];
  /** Batches that were enqueued. */
  readonly enqueued: Batch[];
  /** How many events the last take was to hand out. */
  eventsMax: number;
  /** While true, fetches or acknowledgements fail. */
  fetchAway: () => boolean;
  acknowledgeAway: () => boolean;
  heartbeatAway: () => boolean;
  /** Runs before each settling. */
  onAcknowledge: () => Effect.Effect<void>;
}

interface Entry {
  readonly job: Job;
  /** When it is handed out again if it is not acknowledged. */
  dueAt: number;
}

/** @param leaseMs how long a job that was handed out may go unacknowledged before it is handed out again */
export const makeFakeQueue = (leaseMs = 10_000): FakeQueue => {
  const entries = new Map<string, Entry>();
  const away = new QueueUnavailable({ cause: "the queue is away" });

  const take = (now: number): ReadonlyArray<Job> => {
    const jobs: Job[] = [];
    for (const [id, { job, dueAt }] of entries) {
      if (dueAt > now) continue;
      entries.set(id, { job: { ...job, retries: job.retries + 1 }, dueAt: now + leaseMs });
      // A copy, as if it came from a database: two attempts share no objects.
      const events = job.batch.events.map((event) => ({ ...event }));
      jobs.push({ ...job, batch: { ...job.batch, events } });
    }
    if (jobs.length > 0) fake.takes.push(jobs.map(({ id }) => id));
    return jobs;
  };

  const fake: FakeQueue = {
    takes: [],
    heartbeats: [],
    acknowledged: new Map(),
    enqueued: [],
    eventsMax: 0,
    fetchAway: () => false,
    acknowledgeAway: () => false,
    heartbeatAway: () => false,
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
        if (fake.fetchAway()) return yield* away;
        fake.eventsMax = eventsMax;
        return take(yield* Clock.currentTimeMillis);
      }),
      heartbeat: Effect.fnUntraced(function* (jobs: ReadonlyArray<Job>) {
        if (fake.heartbeatAway()) return yield* away;
        fake.heartbeats.push(jobs.map(({ id }) => id));
        const dueAt = (yield* Clock.currentTimeMillis) + leaseMs;
        for (const { id, retries } of jobs) {
          const entry = entries.get(id);
          // As it was handed out, it counted one more.
          if (entry !== undefined && entry.job.retries === retries + 1) entry.dueAt = dueAt;
        }
      }),
      backlog: Effect.die("not needed"),
      acknowledge: Effect.fnUntraced(function* (acknowledgements: ReadonlyArray<Acknowledgement>) {
        yield* fake.onAcknowledge();
        if (fake.acknowledgeAway()) return yield* away;
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
