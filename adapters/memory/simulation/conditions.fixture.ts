import type { SeededRandom } from "./random.fixture.ts";

/** The most that the chance of each fault can be. */
const CHANCES_MAX = {
  // Of a call of a process to another station.
  /** It fails, and nothing has happened there. */
  refused: 0.2,
  /** It fails, and all of it has happened there. */
  answerLost: 0.1,
  /** The process dies, and nothing has happened there. */
  crashBefore: 0.03,
  /** The process dies, and all of it has happened there. */
  crashAfter: 0.03,
  /** It takes long, before it happens or after. */
  stalled: 0.05,
  /** Another projector holds the lease of the shard. */
  leased: 0.2,

  // Of an announcement to one process.
  unannounced: 0.8,

  // About once a second, of the storm over all processes.
  killed: 0.4,
  stopped: 0.2,
  /** All of a process stands still for a while, and goes on as if nothing had been. */
  frozen: 0.2,
  outage: 0.4,

  // Of what a client sends.
  /** An event that was sent before, by whomever. */
  resent: 0.4,
  /** An event under the id of another. */
  conflicting: 0.2,
  /** An event that the log will never take. */
  unstorable: 0.05,
  /** An event that no read model can count. */
  unfoldable: 0.2,
  /** The client's clock is wrong. */
  skewed: 0.7,
} as const;

/** Names that sort, quote and encode differently, and one that is the start of another. */
const ACCOUNTS = ["acme", "acm", "ä", "\uffee", "😀", "'; --"];

export type Fault = keyof typeof CHANCES_MAX;

/** How long a queue holds a claim that nobody keeps: several times as long as workers leave it alone. */
export const LEASE_MS = 8_000;

/** What a world is like: how large, how patient, how unlucky. */
export interface Conditions {
  readonly shards: number;
  readonly processes: number;
  readonly clients: number;
  readonly accounts: ReadonlyArray<string>;
  /** How long the faults last, in milliseconds. */
  readonly stormMs: number;
  /**
   * How long the queue holds a claim while the faults last, in milliseconds. Shorter than workers keep
   * theirs (`HEARTBEAT_EVERY`), it is a queue that misses heartbeats: jobs come again while they are worked on.
   */
  readonly leaseMs: number;
  readonly retriesMax: number;
  readonly stallMaxMs: number;
  /** The most events that may wait before more are refused. */
  readonly queuedMax: number;
  /** The quota of each account; undefined for none. */
  readonly eventsPerMinute: number | undefined;
  readonly fetchEventsMax: number;
  readonly stepEventsMax: number;
  /** Whether summaries are read, and kept, while all this happens. */
  readonly reads: boolean;
  readonly chances: Readonly<Record<Fault, number>>;
}

/**
 * Draws what a seed's world is like. Each leaves out many faults: what hides one bug, such as a crash
 * that comes before anything else can, is absent from another world ("swarm testing", Groce et al.,
 * ISSTA 2012). Some worlds have no faults at all, and must be exact to the last count.
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

/** Whether nothing can go wrong in a world but that its parts run at the same time. */
export const isCalm = ({ chances }: Conditions): boolean =>
  Object.values(chances).every((chance) => chance === 0);
