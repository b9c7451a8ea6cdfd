import { Effect } from "effect";

import type { Batch } from "../../../core/event/batch.ts";
import type { Event } from "../../../core/event/event.ts";
import { type EventLog, LogUnavailable } from "../../../core/log/event_log.ts";
import {
  type Projection,
  ProjectionUnavailable,
  type Step,
} from "../../../core/projection/projection.ts";
import {
  type Job,
  type Queue,
  QueueUnavailable,
  type Acknowledgement,
} from "../../../core/queue/queue.ts";
import { type Summaries, SummariesUnavailable } from "../../../core/summary/summaries.ts";
import type { Backend } from "./backend.fixture.ts";
import type { Conditions } from "./conditions.fixture.ts";
import type { Faults } from "./faults.fixture.ts";
import type { SeededRandom } from "./random.fixture.ts";
import type { Wire } from "./wire.fixture.ts";

/** The stations as one process sees them. */
export interface Ports {
  readonly queue: Queue["Service"];
  readonly log: EventLog["Service"];
  readonly projection: Projection["Service"];
  readonly summaries: Summaries["Service"];
}

interface PortsOptions {
  readonly wire: Wire;
  readonly backend: Backend;
  readonly random: SeededRandom;
  readonly conditions: Conditions;
  readonly faults: Faults;
}

/** The stations behind a wire. What crosses it is copied, as it would be by a database. */
export const makePorts = (options: PortsOptions): Ports => ({
  queue: queueOver(options),
  log: logOver(options),
  projection: projectionOver(options),
  summaries: {
    summary: (...asked) =>
      options.wire.call({
        station: "summaries",
        name: "summary",
        effect: options.backend.summaries.summary(...asked),
        away: (cause) => new SummariesUnavailable({ cause }),
        tell: () => undefined,
      }),
    sampleAccounts: options.backend.summaries.sampleAccounts,
  },
});

const queueOver = ({ wire, backend, random, conditions }: PortsOptions): Queue["Service"] => {
  const away = (cause: string): QueueUnavailable => new QueueUnavailable({ cause });
  const nameOf = (id: string): string => backend.jobs.get(id)?.name ?? id;
  const describe = (acknowledgement: Acknowledgement): string => {
    const { _tag, job } = acknowledgement;
    if (_tag === "Failed") return `${nameOf(job.id)} failed`;
    const { appended, duplicates, conflicts } = acknowledgement.counts;
    return `${nameOf(job.id)} +${appended} =${duplicates} ≠${conflicts}`;
  };
  return {
    enqueue: (batch) =>
      wire.call({
        station: "queue",
        name: "enqueue",
        effect: Effect.suspend(() => backend.queue.enqueue(copyOf(batch))),
        away,
        tell: (id) => `${nameOf(id)} of ${batch.events.map(shortly).join(" ")}`,
      }),
    fetch: (eventsMax) =>
      wire.call({
        station: "queue",
        name: "fetch",
        effect: Effect.map(
          backend.queue.fetch(Math.min(eventsMax, conditions.fetchEventsMax)),
          // The order of jobs is nothing to rely on.
          (jobs) => random.shuffled(jobs.map((job) => ({ ...job, batch: copyOf(job.batch) }))),
        ),
        away,
        tell: (jobs) => (jobs.length === 0 ? undefined : jobs.map(attemptAt).join(", ")),
      }),
    acknowledge: (acknowledgements) =>
      wire.call({
        station: "queue",
        name: "acknowledge",
        effect: backend.queue.acknowledge(acknowledgements),
        away,
        tell: () => acknowledgements.map(describe).join(", "),
      }),
    heartbeat: (jobs) =>
      wire.call({
        station: "queue",
        name: "heartbeat",
        effect: backend.queue.heartbeat(jobs),
        away,
        tell: () => jobs.map(({ id }) => nameOf(id)).join(", "),
      }),
    find: backend.queue.find,
    backlog: wire.call({
      station: "queue",
      name: "backlog",
      effect: backend.queue.backlog,
      away,
      tell: () => undefined,
    }),
  };

  function attemptAt({ id, retries }: Job): string {
    return retries === 0 ? nameOf(id) : `${nameOf(id)} again (${retries})`;
  }
};

const logOver = ({ wire, backend }: PortsOptions): EventLog["Service"] => ({
  ...backend.log,
  append: (shard, events) =>
    wire.call({
      station: "log",
      name: "append",
      effect: Effect.suspend(() =>
        backend.log.append(
          shard,
          events.map((event) => ({ ...event })),
        ),
      ),
      away: (cause) => new LogUnavailable({ cause }),
      tell: ({ duplicates, conflicts }) =>
        `shard ${shard} ${events.map(shortly).join(" ")}, =${duplicates.length} ≠${conflicts.length}`,
    }),
});

const NOTHING: Step = { projected: 0, checkpoint: 0, accounts: [] };

const projectionOver = (options: PortsOptions): Projection["Service"] => {
  const { wire, backend, conditions, faults } = options;
  const { projection } = backend;
  const station = "projection";
  const away = (cause: string): ProjectionUnavailable => new ProjectionUnavailable({ cause });
  const tellStep = (shard: number) => (step: Step) =>
    step.projected === 0
      ? undefined
      : `shard ${shard} from ${step.checkpoint - step.projected} to ${step.checkpoint}`;
  return {
    ...projection,
    lagging: wire.call({
      station,
      name: "lagging",
      effect: projection.lagging,
      away,
      tell: () => undefined,
    }),
    step: (shard, limit) =>
      wire.call({
        station,
        name: "step",
        effect: Effect.suspend(() =>
          faults.happens("leased")
            ? Effect.succeed(NOTHING)
            : projection.step(shard, Math.min(limit, conditions.stepEventsMax)),
        ),
        away,
        tell: tellStep(shard),
      }),
    skip: (shard, position, reason) =>
      wire.call({
        station,
        name: "skip",
        effect: projection.skip(shard, position, reason),
        away,
        tell: tellStep(shard),
      }),
    checkpoints: wire.call({
      station,
      name: "checkpoints",
      effect: projection.checkpoints,
      away,
      tell: () => undefined,
    }),
  };
};

const copyOf = (batch: Batch): Batch => ({
  ...batch,
  events: batch.events.map((event) => ({ ...event })),
});

const shortly = ({ accountId, eventId }: Event): string => `${accountId}/${eventId}`;
