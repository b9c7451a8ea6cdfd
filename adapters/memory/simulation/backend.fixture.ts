import { Effect } from "effect";

import type { Batch } from "../../../core/event/batch.ts";
import type { EventLog } from "../../../core/log/event_log.ts";
import type { Projection } from "../../../core/projection/projection.ts";
import type { JobId, Queue } from "../../../core/queue/queue.ts";
import { makeSignal } from "../../../core/signal.ts";
import type { Summaries } from "../../../core/summary/summaries.ts";
import { makeMemoryEventLog } from "../event_log.ts";
import { makeMemoryProjection } from "../projection.ts";
import { makeMemoryQueue } from "../queue.ts";
import { makeMemoryStore, type MemoryStore } from "../store.ts";
import { makeMemorySummaries } from "../summaries.ts";
import { type Conditions, LEASE_MS } from "./conditions.fixture.ts";
import type { Faults } from "./faults.fixture.ts";
import { refusingLog, refusingProjection } from "./poison.fixture.ts";

/** What all processes share, and what outlives them: the adapters in memory, on one store. */
export interface Backend {
  readonly store: MemoryStore;
  readonly queue: Queue["Service"];
  readonly log: EventLog["Service"];
  readonly projection: Projection["Service"];
  readonly summaries: Summaries["Service"];
  /** Every job that was stored, in that order. */
  readonly jobs: ReadonlyMap<JobId, StoredJob>;
}

export interface StoredJob {
  /** A job's id is random; its name is not. */
  readonly name: string;
  readonly batch: Batch;
}

export const makeBackend = (conditions: Conditions, faults: Faults): Backend => {
  const { shards, retriesMax } = conditions;
  const store = makeMemoryStore(shards);
  const jobs = new Map<JobId, StoredJob>();
  // Nobody waits for it: every process has signals of its own.
  const queued = makeSignal();
  const queue = makeMemoryQueue({
    queued,
    retriesMax,
    get leaseMs() {
      return faults.isOver() ? LEASE_MS : conditions.leaseMs;
    },
  });
  return {
    store,
    jobs,
    queue: {
      ...queue,
      enqueue: (batch) =>
        Effect.tap(queue.enqueue(batch), (id) =>
          Effect.sync(() => jobs.set(id, { name: `job ${jobs.size + 1}`, batch })),
        ),
    },
    log: refusingLog(makeMemoryEventLog(store)),
    projection: refusingProjection(makeMemoryProjection(store), store),
    summaries: makeMemorySummaries(store),
  };
};
