import type { SeededRandom } from "./random.ts";

/** The highest probability of each fault. */
const CHANCES_MAX = {
  // For a call from a process to another station.
  /** The call fails and has no effect. */
  refused: 0.2,
  /** The call takes effect, and fails for the caller. */
  answerLost: 0.1,
  /** The process dies, and the call has no effect. */
  crashBefore: 0.03,
  /** The process dies, and the call takes effect. */
  crashAfter: 0.03,
  /** The call takes long, before or after its effect. */
  stalled: 0.05,
  /** Another projector holds the lease of the shard. */
  leased: 0.2,

  // For the delivery of an invalidation to one process.
  invalidationLost: 0.8,

  // About once a second, for all processes together.
  killed: 0.4,
  stopped: 0.2,
  /** A whole process pauses, and then continues without noticing. */
  frozen: 0.2,
  outage: 0.4,

  // For an event that a client sends.
  /** It was sent before, by any client. */
  resent: 0.4,
  /** It has the id of another event. */
  conflicting: 0.2,
  /** The log refuses it. */
  unstorable: 0.05,
  /** The read models refuse it. */
  unfoldable: 0.2,
  /** The client's clock is wrong. */
  skewed: 0.7,
} as const;

/** Names that sort, quote and encode differently. One is a prefix of another. */
const ACCOUNTS = ["acme", "acm", "ä", "\uffee", "😀", "'; --"];

export type Fault = keyof typeof CHANCES_MAX;

/** How long the queue leases a job without a heartbeat: several times the heartbeat interval of workers. */
export const LEASE_MS = 8_000;

/** The size, limits and faults of a simulated world. */
export interface Conditions {
  readonly shards: number;
  readonly processes: number;
  readonly clients: number;
  readonly accounts: ReadonlyArray<string>;
  /** How long faults happen, in milliseconds. */
  readonly stormMs: number;
  /**
   * The lease of a job while faults happen, in milliseconds. If it is shorter than the heartbeat interval of workers
   * (`HEARTBEAT_EVERY`), the queue redelivers jobs that are still in flight.
   */
  readonly leaseMs: number;
  readonly retriesMax: number;
  readonly stallMaxMs: number;
  /** The largest backlog, in events, before more are refused. */
  readonly queuedMax: number;
  /** The quota of each account; undefined for none. */
  readonly eventsPerMinute: number | undefined;
  readonly fetchEventsMax: number;
  readonly stepEventsMax: number;
  /** Whether clients read summaries, so that caches fill. */
  readonly reads: boolean;
  readonly chances: Readonly<Record<Fault, number>>;
}

/**
 * Draws the conditions of a seed. Each world leaves out many faults, because one fault can hide a bug that another would
 * show: a process that always crashes early never gets to the bug ("swarm testing", Groce et al., ISSTA 2012). Some
 * worlds have no faults at all, and their counts must be exact.
 */
export const drawConditions = (random: SeededRandom): Conditions => {
  const calm = random.chance(0.05);
  const chanceOf = (most: number): number =>
    calm || random.chance(0.5) ? 0 : most * random.next();
  return {
    shards: random.between(1, 3),
    processes: random.pick([1, 2, 2, 3]),
    clients: random.between(1, 3),
    accounts: ACCOUNTS.slice(0, random.between(1, ACCOUNTS.length)),
    stormMs: random.magnitude(1_500, 9_000),
    leaseMs: calm ? LEASE_MS : random.pick([500, 2_000, LEASE_MS]),
    retriesMax: random.between(0, 3),
    stallMaxMs: random.pick([2_000, 10_000, 10_000, 120_000]),
    queuedMax: random.pick([40, 200, 1_000_000, 1_000_000]),
    eventsPerMinute: random.pick([undefined, undefined, 100, 1_000]),
    fetchEventsMax: random.pick([1, 10, 4_000]),
    stepEventsMax: random.pick([1, 5, 5, 10_000, 10_000]),
    reads: random.chance(0.4),
    chances: Object.fromEntries(
      Object.entries(CHANCES_MAX).map(([fault, most]) => [fault, chanceOf(most)]),
    ) as Record<Fault, number>,
  };
};

/** Whether a world has no faults, only concurrency. */
export const isCalm = ({ chances }: Conditions): boolean =>
  Object.values(chances).every((chance) => chance === 0);
