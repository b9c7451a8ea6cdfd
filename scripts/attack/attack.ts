import type { Wires } from "./wire.ts";

/** What an attacker knows: where the service listens, and one key of its own. */
export interface Target {
  /** A loopback address: attacks go nowhere else. */
  readonly host: string;
  readonly port: number;
  /** May write and read the accounts that begin with `accountPrefix`, and no others. */
  readonly key: string;
  readonly accountPrefix: string;
  /** An account of the attacker's own with millions of events. */
  readonly whale: string;
  /** An account of the attacker's own with a quota of a few events a minute. */
  readonly smallQuotaAccount: string;
  /** How much of its usual connections and rate an attack uses, above 0 and at most 1: a mix shares them. */
  readonly share: number;
}

/** How an attack meets the service: connections, and whether it is time to leave. */
export interface Arms {
  readonly target: Target;
  readonly wires: Wires;
  /** Scales a number of connections or requests by the share of this attack; at least 1. */
  readonly some: (count: number) => number;
  /** Whether the attack is over: everything has been closed, and nothing new may begin. */
  readonly isOver: () => boolean;
  /** Returns after this time, or when the attack is over. */
  readonly pause: (ms: number) => Promise<void>;
}

/** Something that a hostile client does to the service until it is told to leave. */
export interface Attack {
  readonly name: string;
  /** What it does, in one line. */
  readonly about: string;
  readonly run: (arms: Arms) => Promise<void>;
}

/** Several attacks at once, each with a share of its usual strength. */
export interface Mix {
  readonly name: string;
  readonly about: string;
  readonly parts: ReadonlyArray<string>;
  readonly share: number;
}
