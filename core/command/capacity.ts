import { type Priority, QueueFull, QueueUnavailable } from "../queue/queue.ts";
import { SECOND_MS } from "../time.ts";

/** Backpressure: beyond these limits nothing is accepted, so that what was accepted never waits without bound. */
export interface CapacityLimits {
  /** The most events in the queue. */
  readonly queuedMax: number;
  /** The most events that the log may contain and the summaries may lack. */
  readonly laggingMax: number;
}

/** The backlog at one moment: what was accepted and is not counted yet. */
export interface LoadSample {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** Events in the queue. */
  readonly queued: number;
  /** Events in the log. */
  readonly appended: number;
  /** Events that the summaries include. */
  readonly folded: number;
}

/** Why nothing is accepted: the backlog is at its limit, or unknown. */
export type Refusal = QueueFull | QueueUnavailable;

/** The limits on the backlog, and what this process knows of it. Times are milliseconds since the Unix epoch. */
export interface Capacity {
  /** Why nothing of this priority is accepted now; undefined if there is room. */
  readonly refusal: (now: number, priority: Priority) => Refusal | undefined;
  /** Counts events that are about to be enqueued. Each call is followed by one of `release`. */
  readonly reserve: (events: number) => void;
  /**
   * Ends a reservation.
   *
   * @param outcome `refused`: they are not in the queue. `enqueued`: they are, or may be; they count until a later
   *   sample includes them
   */
  readonly release: (events: number, outcome: "enqueued" | "refused") => void;
  /** Starts a sample, which may lack what is enqueued from now on. */
  readonly beginSample: () => PendingSample;
  /** Whether the backlog is unknown: there is no sample of the last `SAMPLE_VALID_MS`. */
  readonly isUnknown: (now: number) => boolean;
}

/** A sample that is being taken. It has no effect unless it succeeds. */
export interface PendingSample {
  readonly succeed: (sample: LoadSample) => void;
}

/**
 * How long the last sample, and what was accepted since, replace one that cannot be taken. After that nothing is
 * accepted: a limit on something unknown does not limit it.
 */
export const SAMPLE_VALID_MS = 5_000;

/** The rate at which a backlog drains is measured over this time. */
const RATE_OVER_MS = 5_000;

/** How long after a sample the backlog is assumed to drain at that rate. */
export const DRAIN_CREDIT_MAX_MS = 1_000;

/** A client may retry once the backlog is expected at this share of its limit: with some room, not just for one event. */
const ROOM = 0.9;

/** The longest `Retry-After`. */
const RETRY_AFTER_MAX_SECONDS = 60;

/** The share of a limit that each priority may fill. The rest is reserved for clients that send less. */
const SHARE: Readonly<Record<Priority, number>> = { normal: 1, low: 0.75, lowest: 0.5 };

export const makeCapacity = ({ queuedMax, laggingMax }: CapacityLimits): Capacity => {
  let recent: ReadonlyArray<LoadSample> = [];
  /** Events that are being enqueued. */
  let reserved = 0;
  /** Events that this process has enqueued, and how many of them the last sample may include. */
  let enqueued = 0;
  let sampled = 0;
  let refusals: Partial<Record<Priority, QueueFull>> = {};

  const queue: Limit = {
    max: queuedMax,
    backlog: ({ queued }) => queued,
    done: ({ appended }) => appended,
  };
  const lag: Limit = {
    max: laggingMax,
    backlog: ({ appended, folded }) => appended - folded,
    done: ({ folded }) => folded,
  };

  /** Events per millisecond by which a backlog drained lately. */
  const rateOf = ({ backlog, done }: Limit): number => {
    const [first] = recent;
    const last = recent.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return 0;
    const drained = Math.max(done(last) - done(first), backlog(first) - backlog(last));
    return Math.max(drained, 0) / (last.at - first.at);
  };

  /**
   * The estimated backlog of the queue now: the last sample, plus what was accepted since, minus what has drained since.
   * So a flood is accepted as fast as it drains, and not in a wave after each sample.
   */
  const queuedBy = (now: number, last: LoadSample): number => {
    const since = Math.min(Math.max(now - last.at, 0), DRAIN_CREDIT_MAX_MS);
    return last.queued + (enqueued - sampled) + reserved - rateOf(queue) * since;
  };

  /** Seconds until there is room, at the rate at which the backlog drains. */
  const secondsUntilRoom = (limit: Limit, backlog: number, priority: Priority): number => {
    if (recent.length === 1) return 1;
    const wait = (backlog - limit.max * SHARE[priority] * ROOM) / rateOf(limit) / SECOND_MS;
    return Math.min(Math.max(Math.ceil(wait), 1), RETRY_AFTER_MAX_SECONDS);
  };

  const isUnknown = (now: number): boolean => {
    const last = recent.at(-1);
    return last === undefined || now - last.at > SAMPLE_VALID_MS;
  };

  return {
    isUnknown,
    refusal: (now, priority) => {
      const last = recent.at(-1);
      if (last === undefined || isUnknown(now)) return UNKNOWN;
      const backlogs = [
        [queue, queuedBy(now, last)],
        [lag, lag.backlog(last)],
      ] as const;
      const full = backlogs.find(([{ max }, backlog]) => backlog >= max * SHARE[priority]);
      if (full === undefined) return undefined;
      // The same for all clients until the next sample.
      return (refusals[priority] ??= new QueueFull({
        retryAfterSeconds: secondsUntilRoom(...full, priority),
      }));
    },
    reserve: (events) => {
      reserved += events;
    },
    release: (events, outcome) => {
      reserved -= events;
      if (outcome === "enqueued") enqueued += events;
    },
    beginSample: () => {
      const before = enqueued;
      return {
        succeed: (sample) => {
          recent = [...recent.filter(isWithin(sample.at)), sample];
          sampled = before;
          refusals = {};
        },
      };
    },
  };
};

const UNKNOWN = new QueueUnavailable({ cause: "the backlog of the queue is unknown" });

interface Limit {
  readonly max: number;
  readonly backlog: (sample: LoadSample) => number;
  /** Grows by what drains, so that the rate is known even while as much comes in. */
  readonly done: (sample: LoadSample) => number;
}

const isWithin =
  (now: number) =>
  ({ at }: LoadSample): boolean =>
    at > now - RATE_OVER_MS;
