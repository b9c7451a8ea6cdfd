import { type Priority, QueueFull, QueueUnavailable } from "../queue/queue.ts";

/** Past these bounds nothing more is accepted, so that nothing that was accepted waits without end. */
export interface CapacityLimits {
  /** The most events that may wait in the queue. */
  readonly queuedMax: number;
  /** The most events that may be in the log and not in the summaries. */
  readonly laggingMax: number;
}

/** What was accepted and is not counted yet, at one moment. */
export interface LoadSample {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** Events that wait in the queue. */
  readonly queued: number;
  /** Events in the log. */
  readonly appended: number;
  /** Events that the summaries count. */
  readonly folded: number;
}

/** Why there is no room: too much waits, or nobody knows how much waits. */
export type Refusal = QueueFull | QueueUnavailable;

/** The bounds on what waits behind acceptance, and what is known of it in this process. Times are milliseconds since the Unix epoch. */
export interface Capacity {
  /** Why nothing more of this priority is accepted now, or undefined if there is room. */
  readonly refusal: (now: number, priority: Priority) => Refusal | undefined;
  /** Counts events that are about to be enqueued. Each call is followed by one of `settle`. */
  readonly reserve: (events: number) => void;
  /**
   * Ends a reservation.
   *
   * @param outcome `refused`: they are not in the queue. `enqueued`: they are, or may be; they count until a load
   *   that was read later shows them
   */
  readonly settle: (events: number, outcome: "enqueued" | "refused") => void;
  /** Begins to read a load: what is enqueued from now on may be missing in it. */
  readonly beginRead: () => LoadRead;
  /** Whether the load is not known: it never was, or has not been read for `UNKNOWN_MAX_MS`. */
  readonly isUnknown: (now: number) => boolean;
}

/** One attempt at reading the load; it has no effect unless it succeeds. */
export interface LoadRead {
  readonly succeed: (load: LoadSample) => void;
}

/**
 * For how long the last known load, and what was let in since, stand in for one that cannot be read. Then nothing is
 * accepted: a bound that nobody can see is no bound.
 */
export const UNKNOWN_MAX_MS = 5_000;

/** Over how long the rate is taken at which a backlog drains. */
const RATE_OVER_MS = 5_000;

/** For how long after a load what is worked off at that rate makes room; then nobody knows whether it goes on. */
export const DRAIN_CREDIT_MAX_MS = 1_000;

/** Where a backlog has to be for the next try, as a share of its bound: some room, and not one place. */
const ROOM = 0.9;

/** Longer than this nobody is sent away. */
const RETRY_AFTER_MAX_SECONDS = 60;

/** Which share of a bound each priority may fill: the rest is kept for those who send less. */
const SHARE: Readonly<Record<Priority, number>> = { normal: 1, low: 0.75, lowest: 0.5 };

export const makeCapacity = ({ queuedMax, laggingMax }: CapacityLimits): Capacity => {
  let recent: ReadonlyArray<LoadSample> = [];
  /** Events that are being enqueued. */
  let reserved = 0;
  /** Events that were enqueued since this process began, and how many of them the last load may show. */
  let enqueued = 0;
  let shown = 0;
  let refusals: Partial<Record<Priority, QueueFull>> = {};

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
   * What waits in the queue by now: what the last load shows, and what was let in since, less what is worked off
   * meanwhile. So a flood is let in as fast as it drains, and not in a wave after each load.
   */
  const queuedBy = (now: number, last: LoadSample): number => {
    const since = Math.min(Math.max(now - last.at, 0), DRAIN_CREDIT_MAX_MS);
    return last.queued + (enqueued - shown) + reserved - rateOf(queue) * since;
  };

  /** How long until there is room, at the rate at which a backlog is worked off. */
  const secondsUntilRoom = (bound: Bound, backlog: number, priority: Priority): number => {
    if (recent.length === 1) return 1;
    const wait = (backlog - bound.max * SHARE[priority] * ROOM) / rateOf(bound) / 1_000;
    return Math.min(Math.max(Math.ceil(wait), 1), RETRY_AFTER_MAX_SECONDS);
  };

  const isUnknown = (now: number): boolean => {
    const last = recent.at(-1);
    return last === undefined || now - last.at > UNKNOWN_MAX_MS;
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
      // Until the next load all are told the same.
      return (refusals[priority] ??= new QueueFull({
        retryAfterSeconds: secondsUntilRoom(...full, priority),
      }));
    },
    reserve: (events) => {
      reserved += events;
    },
    settle: (events, outcome) => {
      reserved -= events;
      if (outcome === "enqueued") enqueued += events;
    },
    beginRead: () => {
      const before = enqueued;
      return {
        succeed: (load) => {
          recent = [...recent.filter(isWithin(load.at)), load];
          shown = before;
          refusals = {};
        },
      };
    },
  };
};

const UNKNOWN = new QueueUnavailable({ cause: "nobody knows how much waits in the queue" });

interface Bound {
  readonly max: number;
  readonly backlog: (load: LoadSample) => number;
  /** Grows by what is worked off, and tells the rate even while as much comes in. */
  readonly done: (load: LoadSample) => number;
}

const isWithin =
  (now: number) =>
  ({ at }: LoadSample): boolean =>
    at > now - RATE_OVER_MS;
