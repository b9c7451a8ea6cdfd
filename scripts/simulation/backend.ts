import { Effect } from "effect";

import { makeMemoryEventLog } from "../../adapters/memory/event_log.ts";
import { makeMemoryProjection } from "../../adapters/memory/projection.ts";
import { makeMemoryQueue } from "../../adapters/memory/queue.ts";
import { makeMemoryStore, type MemoryStore, shardIn } from "../../adapters/memory/store.ts";
import { makeMemorySummaries } from "../../adapters/memory/summaries.ts";
import type { Batch } from "../../core/event/batch.ts";
import { type Event, identityOf } from "../../core/event/event.ts";
import { AppendRefused, type EventLog } from "../../core/log/event_log.ts";
import { type Projection, ProjectionRefused } from "../../core/projection/projection.ts";
import type { JobId, Queue } from "../../core/queue/queue.ts";
import { makeSignal } from "../../core/signal.ts";
import type { Summaries } from "../../core/summary/summaries.ts";
import { type Conditions, LEASE_MS } from "./conditions.ts";
import type { Faults } from "./faults.ts";

/** The in-memory adapters on one store. All processes share them, and they survive every crash. */
export interface Backend {
  readonly store: MemoryStore;
  readonly queue: Queue["Service"];
  readonly log: EventLog["Service"];
  readonly projection: Projection["Service"];
  readonly summaries: Summaries["Service"];
  /** Every job that was enqueued, in that order. */
  readonly jobs: ReadonlyMap<JobId, StoredJob>;
}

export interface StoredJob {
  /** The same for the same seed, unlike the job's id. */
  readonly name: string;
  readonly batch: Batch;
}

export const makeBackend = (conditions: Conditions, faults: Faults): Backend => {
  const { shards, retriesMax } = conditions;
  const store = makeMemoryStore(shards);
  const jobs = new Map<JobId, StoredJob>();
  const queue = makeMemoryQueue({
    // Unused: every process has its own signals.
    queued: makeSignal(),
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
    log: refusePoison(makeMemoryEventLog(store)),
    projection: refusePoisonSteps(makeMemoryProjection(store), store),
    summaries: makeMemorySummaries(store),
  };
};

/** Id prefixes of poison events: those that the log refuses, and those that the projection refuses. */
export const UNSTORABLE = "unstorable";
export const UNFOLDABLE = "unfoldable";

type Identified = Pick<Event, "eventId">;
export const isUnstorable = ({ eventId }: Identified): boolean => eventId.startsWith(UNSTORABLE);
export const isUnfoldable = ({ eventId }: Identified): boolean => eventId.startsWith(UNFOLDABLE);

/** A log that refuses unstorable events, and repeated identities as a unique index would. */
const refusePoison = (log: EventLog["Service"]): EventLog["Service"] => ({
  ...log,
  append: (shard, events) =>
    Effect.suspend(() => {
      const identities = new Set(events.map(identityOf));
      if (identities.size < events.length) return Effect.die("An append repeats an identity");
      const poison = events.find(isUnstorable);
      return poison === undefined
        ? log.append(shard, events)
        : Effect.fail(new AppendRefused({ shard, cause: `${poison.eventId} cannot be stored` }));
    }),
});

/** A projection that refuses every step with an unfoldable event. */
const refusePoisonSteps = (
  projection: Projection["Service"],
  store: MemoryStore,
): Projection["Service"] => ({
  ...projection,
  step: (shard, limit) =>
    Effect.suspend(() => {
      const { events, checkpoint } = shardIn(store, shard);
      const poison = events.slice(checkpoint, checkpoint + limit).find(isUnfoldable);
      return poison === undefined
        ? projection.step(shard, limit)
        : Effect.fail(
            new ProjectionRefused({ shard, cause: `${poison.eventId} cannot be folded` }),
          );
    }),
});
