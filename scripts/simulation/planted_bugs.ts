import { Clock, Effect } from "effect";

import { stepOver } from "../../adapters/memory/projection.ts";
import { type MemoryShard, shardIn } from "../../adapters/memory/store.ts";
import type { Quotas } from "../../core/access/quotas.ts";
import type { Capacity } from "../../core/command/capacity.ts";
import { queuedIn } from "../../core/event/batch.ts";
import type { RecordedEvent } from "../../core/event/event.ts";
import { present } from "../../core/invariant.ts";
import { AppendRefused } from "../../core/log/event_log.ts";
import { ProjectionUnavailable } from "../../core/projection/projection.ts";
import { fold, NO_ROWS, READ_MODELS } from "../../core/projection/read_models.ts";
import type { Horizon } from "../../core/query/horizon.ts";
import type { Acknowledgement, Counts, Job, JobId } from "../../core/queue/queue.ts";
import { type Backend, isUnfoldable } from "./backend.ts";
import type { Network, Ports } from "./network.ts";
import type { Rule } from "./oracle.ts";

/** Replaces parts of a world, to plant a bug that the simulation must find. */
export interface Plant {
  /** Changes what all processes share. */
  readonly backend?: (backend: Backend) => Changes;
  /** Changes what each process calls. */
  readonly ports?: (ports: Ports, network: Network, backend: Backend) => Changes;
  readonly quotas?: (quotas: Quotas) => Quotas;
  readonly capacity?: (capacity: Capacity) => Capacity;
  readonly horizon?: (horizon: Horizon) => Horizon;
}

/** The operations of stations that a bug replaces. */
interface Changes {
  readonly queue?: Partial<Ports["queue"]>;
  readonly log?: Partial<Ports["log"]>;
  readonly projection?: Partial<Ports["projection"]>;
}

export const withChanges = <Stations extends Ports>(
  stations: Stations,
  { queue, log, projection }: Changes = {},
): Stations => ({
  ...stations,
  queue: { ...stations.queue, ...queue },
  log: { ...stations.log, ...log },
  projection: { ...stations.projection, ...projection },
});

/** The service as it is. */
export const NO_PLANT: Plant = {};

interface PlantedBug extends Plant {
  readonly name: string;
  /** Completes "the simulation finds …". */
  readonly title: string;
  /** The rule that it must break. */
  readonly breaks: Rule;
}

const keepsCharges: PlantedBug = {
  name: "keeps-charges",
  title: "admission control that charges quotas for refused events",
  breaks: "quotas are charged for accepted events only",
  quotas: (quotas) => ({ ...quotas, giveBack: () => Effect.void }),
};

const refundsEverything: PlantedBug = {
  name: "refunds-everything",
  title: "admission control that refunds accepted events",
  breaks: "quotas are charged for accepted events only",
  quotas: (quotas) => ({
    ...quotas,
    take: (charges) => Effect.tap(quotas.take(charges), () => quotas.giveBack(charges)),
  }),
};

const failsOpen: PlantedBug = {
  name: "fails-open",
  title: "admission control that treats an unknown backlog as empty",
  breaks: "nothing is accepted while the backlog is unknown",
  capacity: (capacity) => ({
    ...capacity,
    refusal: (now, priority) =>
      capacity.isUnknown(now) ? undefined : capacity.refusal(now, priority),
  }),
};

/** How long the queue that accepts before it stores keeps a batch in memory only. */
const BUFFERED_MS = 50;

const acceptsEarly: PlantedBug = {
  name: "accepts-early",
  title: "a queue that accepts a batch before it is stored",
  breaks: "accepted events are in the log",
  ports: ({ queue }) => ({
    queue: {
      enqueue: (batch) =>
        Effect.as(
          Effect.forkDetach(Effect.ignore(Effect.delay(queue.enqueue(batch), BUFFERED_MS))),
          "acknowledged",
        ),
    },
  }),
};

const acknowledgesOnFetch: PlantedBug = {
  name: "acknowledges-on-fetch",
  title: "a queue that acknowledges jobs as soon as they are fetched",
  breaks: "accepted events are in the log",
  backend: ({ queue }) => ({
    queue: {
      fetch: (eventsMax) =>
        Effect.tap(queue.fetch(eventsMax), (jobs) =>
          queue.acknowledge(jobs.map((job) => completed(job, allAppended(job)))),
        ),
    },
  }),
};

const neverRedelivers: PlantedBug = {
  name: "never-redelivers",
  title: "a queue that does not redeliver the jobs of a dead worker",
  breaks: "everything drains",
  backend: ({ queue }) => {
    const fetched = new Set<JobId>();
    return {
      queue: {
        fetch: (eventsMax) =>
          Effect.map(queue.fetch(eventsMax), (jobs) => {
            const free = jobs.filter(({ id }) => !fetched.has(id));
            for (const { id } of free) fetched.add(id);
            return free;
          }),
        acknowledge: (acknowledgements) =>
          Effect.tap(queue.acknowledge(acknowledgements), () =>
            Effect.sync(() => {
              for (const { job } of acknowledgements) fetched.delete(job.id);
            }),
          ),
      },
    };
  },
};

const countsRedeliveries: PlantedBug = {
  name: "counts-redeliveries",
  title: "a worker that counts the events of a redelivered job as appended again",
  breaks: "the counts of jobs add up",
  ports: ({ queue }) => ({
    queue: {
      acknowledge: (acknowledgements) =>
        queue.acknowledge(
          acknowledgements.map((acknowledgement) =>
            acknowledgement._tag === "Completed" && acknowledgement.job.retries > 0
              ? completed(acknowledgement.job, allAppended(acknowledgement.job))
              : acknowledgement,
          ),
        ),
    },
  }),
};

const givesUpEarly: PlantedBug = {
  name: "gives-up-early",
  title: "a worker that treats an unavailable log as a refusal",
  breaks: "only jobs that cannot be stored are dead letters",
  ports: ({ log }) => ({
    log: {
      append: (shard, events) =>
        Effect.catchTag(log.append(shard, events), "LogUnavailable", ({ cause }) =>
          Effect.fail(new AppendRefused({ shard, cause })),
        ),
    },
  }),
};

const appendsDuplicates: PlantedBug = {
  name: "appends-duplicates",
  title: "a log that appends duplicates",
  breaks: "each identity is in the log once",
  backend: ({ store }) => ({
    log: {
      append: (shard, events) =>
        Effect.gen(function* () {
          const recordedAt = yield* Clock.currentTimeMillis;
          const rows = shardIn(store, shard).events;
          for (const event of events) {
            rows.push({ ...event, shard, position: rows.length + 1, recordedAt });
          }
          return { duplicates: [], conflicts: [] };
        }),
    },
  }),
};

const movesCheckpointApart: PlantedBug = {
  name: "moves-checkpoint-apart",
  title: "a projector that moves its checkpoint in a separate transaction",
  breaks: "read models are the fold of the log",
  ports: ({ projection }, network, { store }) => ({
    projection: {
      step: (shard, limit) => {
        const target = shardIn(store, shard);
        const call = network.to("projection", (cause) => new ProjectionUnavailable({ cause }));
        const commit = <A>(name: string, change: () => A) =>
          call(name, Effect.sync(change), () => `shard ${shard}`);
        return Effect.gen(function* () {
          const { checkpoint } = target;
          const slice = target.events.slice(checkpoint, checkpoint + limit);
          // Another bug covers poison events.
          if (slice.length === 0 || slice.some(isUnfoldable)) {
            return yield* projection.step(shard, limit);
          }
          yield* commit("fold", () => foldInto(target, slice));
          yield* commit("move", () => (target.checkpoint = checkpoint + slice.length));
          return stepOver(slice, target.checkpoint);
        });
      },
    },
  }),
};

const countsDeliveries: PlantedBug = {
  name: "counts-deliveries",
  title: "read models that count deliveries instead of the log",
  breaks: "read models are the fold of the log",
  backend: ({ log, store }) => ({
    log: {
      append: (shard, events) =>
        Effect.tap(log.append(shard, events), ({ duplicates }) =>
          Effect.sync(() => {
            const target = shardIn(store, shard);
            const again = duplicates.map((index) => {
              const event = present(events[index], `A duplicate has the index ${index}`);
              return { ...event, shard, position: 0, recordedAt: 0 };
            });
            foldInto(target, again);
          }),
        ),
    },
  }),
};

const skipsAnything: PlantedBug = {
  name: "skips-anything",
  title: "a projector that skips whichever event is next",
  breaks: "only events that cannot be folded are skipped",
  backend: ({ projection, store }) => ({
    projection: {
      skip: (shard, _position, reason) =>
        Effect.suspend(() => {
          const { checkpoint } = shardIn(store, shard);
          return projection.skip(shard, checkpoint + 1, reason);
        }),
    },
  }),
};

const trustsInvalidations: PlantedBug = {
  name: "trusts-invalidations",
  title: "a cache that relies on every invalidation to arrive",
  breaks: "a summary shows one state of the log",
  horizon: (horizon) => {
    const begun = new Set<number>();
    return {
      ...horizon,
      observe: (shard, checkpoint) => {
        if (!begun.has(shard)) horizon.observe(shard, checkpoint);
        begun.add(shard);
      },
    };
  },
};

/** All planted bugs, along the path of an event. */
export const PLANTED_BUGS: ReadonlyArray<PlantedBug> = [
  keepsCharges,
  refundsEverything,
  failsOpen,
  acceptsEarly,
  acknowledgesOnFetch,
  neverRedelivers,
  countsRedeliveries,
  givesUpEarly,
  appendsDuplicates,
  movesCheckpointApart,
  countsDeliveries,
  skipsAnything,
  trustsInvalidations,
];

const completed = (job: Job, counts: Counts): Acknowledgement => ({
  _tag: "Completed",
  job,
  counts,
});

const allAppended = ({ batch }: Job): Counts => ({
  appended: queuedIn(batch),
  duplicates: 0,
  conflicts: 0,
});

const foldInto = (target: MemoryShard, events: ReadonlyArray<RecordedEvent>): void => {
  for (const model of READ_MODELS) {
    target.rows.set(model.name, fold(model, target.rows.get(model.name) ?? NO_ROWS, events));
  }
};
