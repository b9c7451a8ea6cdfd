import { Effect, Exit } from "effect";

import type { Batch } from "../../core/event/batch.ts";
import type { Event } from "../../core/event/event.ts";
import { type EventLog, LogUnavailable } from "../../core/log/event_log.ts";
import {
  NOTHING_PROJECTED,
  type Projection,
  ProjectionUnavailable,
  type Step,
} from "../../core/projection/projection.ts";
import {
  type Acknowledgement,
  type Job,
  type Queue,
  QueueUnavailable,
} from "../../core/queue/queue.ts";
import { type Summaries, SummariesUnavailable } from "../../core/summary/summaries.ts";
import type { Fate, Faults, Station } from "./faults.ts";
import type { History, World } from "./world.ts";

/** The process that makes a call. It may die or freeze while it waits. */
export interface Caller {
  readonly name: string;
  readonly isAlive: () => boolean;
  /** @param how completes "dies …" */
  readonly crash: (how: string) => void;
  /** Returns once the process is not frozen. */
  readonly thaw: Effect.Effect<void>;
}

/** The network between one process and the stations. */
export interface Network {
  /**
   * Makes a function that calls a station.
   *
   * @param unavailable the error of the port for a call that the network fails
   */
  readonly to: <Unavailable>(
    station: Station,
    unavailable: (cause: string) => Unavailable,
  ) => Call<Unavailable>;
}

/**
 * Calls a station.
 *
 * @param effect takes effect at the station, at one instant
 * @param describe what the history says about the answer; undefined to leave it out
 */
type Call<Unavailable> = <A, E>(
  name: string,
  effect: Effect.Effect<A, E>,
  describe?: (answer: A) => string | undefined,
) => Effect.Effect<A, E | Unavailable>;

/**
 * Makes the network of a process. Calls take time, fail before or after their effect, or kill their caller.
 *
 * A dead process gets no answers, and its later calls have no effect. Between calls a process touches nothing that others
 * can see, so this equals ending its fibers there; they stay suspended forever.
 */
export const makeNetwork = (caller: Caller, faults: Faults, history: History): Network => {
  /** Returns what the network does with a call: its result, a failure, or undefined when the caller died. */
  const transfer = Effect.fnUntraced(function* <A, E>(
    name: string,
    fate: Fate,
    effect: Effect.Effect<A, E>,
    describe: (answer: A) => string | undefined,
  ) {
    yield* caller.thaw;
    yield* pause(fate.requestMs);
    if (!caller.isAlive() && !fate.outlivesCaller) return undefined;
    if (fate.ending === "refused") {
      history.note(caller.name, `${name}: refused`);
      yield* pause(fate.answerMs);
      return "refused";
    }
    if (fate.ending === "crashBefore") {
      caller.crash(`before ${name}`);
      return undefined;
    }

    const exit = yield* Effect.exit(effect);
    const answer = Exit.isSuccess(exit) ? describe(exit.value) : "refused for good";
    const more = circumstances(fate, caller.isAlive());
    if (answer !== undefined || more !== "") {
      history.note(caller.name, `${name}: ${answer ?? "nothing"}${more}`);
    }

    if (fate.ending === "crashAfter") {
      caller.crash(`after ${name}`);
      return undefined;
    }
    yield* pause(fate.answerMs);
    yield* caller.thaw;
    return fate.ending === "answerLost" ? "answer lost" : exit;
  });

  return {
    to:
      <Unavailable>(station: Station, unavailable: (cause: string) => Unavailable) =>
      <A, E>(
        name: string,
        effect: Effect.Effect<A, E>,
        describe: (answer: A) => string | undefined = () => undefined,
      ) =>
        Effect.suspend((): Effect.Effect<A, E | Unavailable> => {
          if (!caller.isAlive()) return Effect.never;
          const fate = faults.fateOf(station, name);
          const transferred = transfer(name, fate, effect, describe);
          return Effect.flatMap(
            Effect.ensuring(transferred, Effect.sync(faults.begin())),
            (outcome): Effect.Effect<A, E | Unavailable> => {
              if (outcome === undefined || !caller.isAlive()) return Effect.never;
              return typeof outcome === "string" ? Effect.fail(unavailable(outcome)) : outcome;
            },
          );
        }),
  };
};

/** The history mentions delays from here on. */
const SLOW_MS = 100;

const circumstances = ({ ending, requestMs, answerMs }: Fate, isAlive: boolean): string => {
  const slow = (ms: number, what: string): string => (ms < SLOW_MS ? "" : `, ${what} ${ms} ms`);
  return [
    slow(requestMs, "request took"),
    slow(answerMs, "answer took"),
    ending === "answerLost" ? ", answer lost" : "",
    isAlive ? "" : ", caller dead",
  ].join("");
};

const pause = (ms: number): Effect.Effect<void> => (ms === 0 ? Effect.void : Effect.sleep(ms));

/** The stations as one process sees them. */
export interface Ports {
  readonly queue: Queue["Service"];
  readonly log: EventLog["Service"];
  readonly projection: Projection["Service"];
  readonly summaries: Summaries["Service"];
}

/** The stations behind a network. Values are copied on the way, as a database would do. */
export const makePorts = (network: Network, world: World): Ports => ({
  queue: queueOver(network, world),
  log: logOver(network, world),
  projection: projectionOver(network, world),
  summaries: summariesOver(network, world),
});

const queueOver = (network: Network, { backend, random, conditions }: World): Queue["Service"] => {
  const { queue, jobs: storedJobs } = backend;
  const call = network.to("queue", (cause) => new QueueUnavailable({ cause }));
  const nameOf = (id: string): string => storedJobs.get(id)?.name ?? id;
  const attemptOf = ({ id, retries }: Job): string =>
    retries === 0 ? nameOf(id) : `${nameOf(id)} again (${retries})`;
  const resultOf = (acknowledgement: Acknowledgement): string => {
    const { _tag, job } = acknowledgement;
    if (_tag === "Failed") return `${nameOf(job.id)} failed`;
    const { appended, duplicates, conflicts } = acknowledgement.counts;
    return `${nameOf(job.id)} +${appended} =${duplicates} ≠${conflicts}`;
  };
  return {
    enqueue: (batch) =>
      call(
        "enqueue",
        Effect.suspend(() => queue.enqueue(copyOf(batch))),
        (id) => `${nameOf(id)} of ${batch.events.map(shortly).join(" ")}`,
      ),
    fetch: (eventsMax) =>
      call(
        "fetch",
        Effect.map(
          queue.fetch(Math.min(eventsMax, conditions.fetchEventsMax)),
          // Workers must not rely on the order of jobs.
          (jobs) => random.shuffled(jobs.map((job) => ({ ...job, batch: copyOf(job.batch) }))),
        ),
        (jobs) => (jobs.length === 0 ? undefined : jobs.map(attemptOf).join(", ")),
      ),
    acknowledge: (acknowledgements) =>
      call("acknowledge", queue.acknowledge(acknowledgements), () =>
        acknowledgements.map(resultOf).join(", "),
      ),
    heartbeat: (jobs) =>
      call("heartbeat", queue.heartbeat(jobs), () => jobs.map(({ id }) => nameOf(id)).join(", ")),
    find: queue.find,
    backlog: call("backlog", queue.backlog),
  };
};

const logOver = (network: Network, { backend: { log } }: World): EventLog["Service"] => {
  const call = network.to("log", (cause) => new LogUnavailable({ cause }));
  return {
    ...log,
    append: (shard, events) =>
      call(
        "append",
        Effect.suspend(() => log.append(shard, copiesOf(events))),
        ({ duplicates, conflicts }) =>
          `shard ${shard} ${events.map(shortly).join(" ")}, =${duplicates.length} ≠${conflicts.length}`,
      ),
  };
};

const projectionOver = (
  network: Network,
  { backend: { projection }, conditions, faults }: World,
): Projection["Service"] => {
  const call = network.to("projection", (cause) => new ProjectionUnavailable({ cause }));
  const stepOf = (shard: number) => (step: Step) =>
    step.projected === 0
      ? undefined
      : `shard ${shard} from ${step.checkpoint - step.projected} to ${step.checkpoint}`;
  return {
    ...projection,
    lagging: call("lagging", projection.lagging),
    step: (shard, limit) =>
      call(
        "step",
        Effect.suspend(() =>
          faults.happens("leased")
            ? Effect.succeed(NOTHING_PROJECTED)
            : projection.step(shard, Math.min(limit, conditions.stepEventsMax)),
        ),
        stepOf(shard),
      ),
    skip: (shard, position, reason) =>
      call("skip", projection.skip(shard, position, reason), stepOf(shard)),
    checkpoints: call("checkpoints", projection.checkpoints),
  };
};

const summariesOver = (
  network: Network,
  { backend: { summaries } }: World,
): Summaries["Service"] => {
  const call = network.to("summaries", (cause) => new SummariesUnavailable({ cause }));
  return {
    ...summaries,
    summary: (...question) => call("summary", summaries.summary(...question)),
  };
};

const copiesOf = (events: ReadonlyArray<Event>): ReadonlyArray<Event> =>
  events.map((event) => ({ ...event }));

const copyOf = (batch: Batch): Batch => ({ ...batch, events: copiesOf(batch.events) });

const shortly = ({ accountId, eventId }: Event): string => `${accountId}/${eventId}`;
