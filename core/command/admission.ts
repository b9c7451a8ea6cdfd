import { Clock, Context, Effect, Option } from "effect";

import { EventLog } from "../log/event_log.ts";
import { Projection } from "../projection/projection.ts";
import { type Lane, Queue, QueueFull } from "../queue/queue.ts";

/** Past these bounds nothing more is accepted, so that nothing that was accepted waits without end. */
export interface AdmissionLimits {
  /** The most events that may wait in the queue. */
  readonly queuedMax: number;
  /** The most events that may be in the log and not in the summaries. */
  readonly laggingMax: number;
}

/** What was accepted and is not counted yet, at one moment. */
export interface Load {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** Events that wait in the queue. */
  readonly queued: number;
  /** Age of the oldest job that waits, in seconds. */
  readonly queuedSeconds: number;
  /** Jobs whose every attempt failed. */
  readonly deadLetters: number;
  /** Events in the log. */
  readonly appended: number;
  /** Events that the summaries count. */
  readonly folded: number;
}

/** Decides whether there is room for more. */
export class Admission extends Context.Service<
  Admission,
  {
    /**
     * Why nothing more is accepted now (milliseconds since the Unix epoch), or undefined; what waits behind others is refused at half of a bound.
     * Asked before a request is read, so that saying no costs nearly nothing: under a flood that is what most of the work would be.
     */
    readonly refusal: (now: number, lane?: Lane) => QueueFull | undefined;
    /** Takes note of events that were let in, which the next load will show. */
    readonly admit: (events: number) => void;
    /** Takes note of a load; undefined when it is not known, and then nobody is refused. */
    readonly observe: (load: Load | undefined) => void;
    /** The load that was noted last. */
    readonly load: () => Load | undefined;
  }
>()("tidemark/command/Admission") {}

/** Over how long the rate is taken at which a backlog drains. */
const RATE_OVER_MS = 5_000;

/** Where a backlog has to be for the next try, as a share of its bound: some room, and not one place. */
const ROOM = 0.9;

/** Longer than this nobody is sent away. */
const RETRY_AFTER_MAX_SECONDS = 60;

export const makeAdmission = ({ queuedMax, laggingMax }: AdmissionLimits): Admission["Service"] => {
  let recent: ReadonlyArray<Load> = [];
  /** Events that were let in since the last look. */
  let admitted = 0;
  let refusals: Partial<Record<Lane, QueueFull>> = {};

  const queue: Bound = {
    max: queuedMax,
    backlog: ({ queued }) => queued,
    done: ({ appended }) => appended,
  };
  const lag: Bound = {
    max: laggingMax,
    backlog: ({ appended, folded }) => appended - folded,
    done: ({ folded }) => folded,
  };

  /** Events of a backlog that were lately worked off in a millisecond. */
  const rateOf = ({ backlog, done }: Bound): number => {
    const [first] = recent;
    const last = recent.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return 0;
    const worked = Math.max(done(last) - done(first), backlog(first) - backlog(last));
    return Math.max(worked, 0) / (last.at - first.at);
  };

  /**
   * What waits in the queue by now: what the last look found, and what was let in since, less what is worked off
   * meanwhile. So a flood is let in as fast as it drains, and not in a wave after each look.
   */
  const queuedBy = (now: number, last: Load): number => {
    const since = Math.min(Math.max(now - last.at, 0), WATCH_REST_MAX_MS);
    return last.queued + admitted - rateOf(queue) * since;
  };

  /** How long until there is room, at the rate at which a backlog is worked off. */
  const secondsUntilRoom = (bound: Bound, backlog: number, lane: Lane): number => {
    if (recent.length === 1) return 1;
    const wait = (backlog - bound.max * SHARE[lane] * ROOM) / rateOf(bound) / 1_000;
    return Math.min(Math.max(Math.ceil(wait), 1), RETRY_AFTER_MAX_SECONDS);
  };

  const refusal = (now: number, lane: Lane = "normal"): QueueFull | undefined => {
    const last = recent.at(-1);
    if (last === undefined) return undefined;
    const backlogs = [
      [queue, queuedBy(now, last)],
      [lag, lag.backlog(last)],
    ] as const;
    const full = backlogs.find(([{ max }, backlog]) => backlog >= max * SHARE[lane]);
    if (full === undefined) return undefined;
    // Until the next look all are told the same.
    return (refusals[lane] ??= new QueueFull({
      retryAfterSeconds: secondsUntilRoom(...full, lane),
    }));
  };

  return {
    refusal,
    load: () => recent.at(-1),
    admit: (events) => {
      admitted += events;
    },
    observe: (load) => {
      recent = load === undefined ? [] : [...recent.filter(isWithin(load.at)), load];
      admitted = 0;
      refusals = {};
    },
  };
};

/** Which share of a bound each lane may fill: the rest is kept for those who send little. */
const SHARE: Readonly<Record<Lane, number>> = { normal: 1, behind: 0.5 };

interface Bound {
  readonly max: number;
  readonly backlog: (load: Load) => number;
  /** Grows by what is worked off, and tells the rate even while as much comes in. */
  readonly done: (load: Load) => number;
}

const isWithin =
  (now: number) =>
  ({ at }: Load): boolean =>
    at > now - RATE_OVER_MS;

/** How long the watch rests between two looks, at least: meanwhile each process knows what it let in, and not what others did. */
const WATCH_REST_MS = 250;

/** A look takes at most this share of the time, however long a long queue takes to add up. */
const WATCH_SHARE = 0.25;

/** How long it rests at most: nobody is to be refused for long for a lack of room that is over. */
const WATCH_REST_MAX_MS = 1_000;

/** Keeps an admission informed, until interrupted. */
export const watchLoad = Effect.gen(function* () {
  const admission = yield* Admission;
  const look = Effect.gen(function* () {
    const since = yield* Clock.currentTimeMillis;
    // While the database is away nobody is refused here: to accept will fail by itself.
    admission.observe(Option.getOrUndefined(yield* Effect.option(readLoad)));
    const took = (yield* Clock.currentTimeMillis) - since;
    const rest = Math.min(took / WATCH_SHARE, WATCH_REST_MAX_MS);
    yield* Effect.sleep(Math.max(WATCH_REST_MS, rest));
  });
  return yield* Effect.forever(look);
});

const readLoad = Effect.gen(function* () {
  const queue = yield* Queue;
  const log = yield* EventLog;
  const projection = yield* Projection;
  const { events, seconds, deadLetters } = yield* queue.backlog;
  // Before the heads: the lag may look smaller than it is for a moment, and is never below zero.
  const checkpoints = yield* projection.checkpoints;
  const heads = yield* log.heads;
  const load: Load = {
    at: yield* Clock.currentTimeMillis,
    queued: events,
    queuedSeconds: seconds,
    deadLetters,
    appended: sumOf(heads),
    folded: sumOf(checkpoints),
  };
  return load;
});

const sumOf = (places: ReadonlyArray<{ readonly position: number }>): number =>
  places.reduce((sum, { position }) => sum + position, 0);
