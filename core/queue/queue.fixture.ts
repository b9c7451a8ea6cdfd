import { Clock, Effect } from "effect";

import { type Batch, collapse } from "../event/batch.ts";
import type { Event } from "../event/event.ts";
import { type Job, type Queue, QueueUnavailable, type Settlement } from "./queue.ts";

/** A queue for tests of what works through it: hands jobs out at least once, and fails as told. */
export interface FakeQueue {
  readonly service: Queue["Service"];
  /** Adds a job, and answers its id. */
  readonly add: (events: ReadonlyArray<Event>) => string;
  /** The ids of the jobs of each take that handed out any. */
  readonly takes: string[][];
  /** What became of each job that was settled. */
  readonly settled: Map<string, Settlement>;
  /** The ids of the jobs that each `keep` said are in hand. */
  readonly kept: string[][];
  /** Batches that were enqueued. */
  readonly enqueued: Batch[];
  /** How many events the last take was to hand out. */
  eventsMax: number;
  /** While true, takes or settles fail. */
  takeAway: () => boolean;
  settleAway: () => boolean;
  keepAway: () => boolean;
  /** Runs before each settling. */
  onSettle: () => Effect.Effect<void>;
}

interface Entry {
  readonly job: Job;
  /** When it is handed out again if it is not settled. */
  dueAt: number;
}

/** @param leaseMs how long a job that was handed out may go unsettled before it is handed out again */
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
    kept: [],
    settled: new Map(),
    enqueued: [],
    eventsMax: 0,
    takeAway: () => false,
    settleAway: () => false,
    keepAway: () => false,
    onSettle: () => Effect.void,
    add: (events) => {
      const id = `job-${entries.size + fake.settled.size + 1}`;
      entries.set(id, { job: { id, batch: collapse(events), retries: 0, queuedAt: 0 }, dueAt: 0 });
      return id;
    },
    service: {
      enqueue: (batch) =>
        Effect.sync(() => {
          fake.enqueued.push(batch);
          return `enqueued-${fake.enqueued.length}`;
        }),
      take: Effect.fnUntraced(function* (eventsMax: number) {
        if (fake.takeAway()) return yield* away;
        fake.eventsMax = eventsMax;
        return take(yield* Clock.currentTimeMillis);
      }),
      keep: Effect.fnUntraced(function* (jobs: ReadonlyArray<Job>) {
        if (fake.keepAway()) return yield* away;
        fake.kept.push(jobs.map(({ id }) => id));
        const dueAt = (yield* Clock.currentTimeMillis) + leaseMs;
        for (const { id, retries } of jobs) {
          const entry = entries.get(id);
          // As it was handed out, it counted one more.
          if (entry !== undefined && entry.job.retries === retries + 1) entry.dueAt = dueAt;
        }
      }),
      backlog: Effect.die("not needed"),
      settle: Effect.fnUntraced(function* (settlements: ReadonlyArray<Settlement>) {
        yield* fake.onSettle();
        if (fake.settleAway()) return yield* away;
        for (const settlement of settlements) {
          entries.delete(settlement.job.id);
          fake.settled.set(settlement.job.id, settlement);
        }
      }),
      find: () => Effect.die("not needed"),
    },
  };
  return fake;
};
