import type { Wires } from "./wire.ts";

/** What an attacker knows: the address of the service and one key of its own. */
export interface Target {
  /** Always a loopback address. */
  readonly host: string;
  readonly port: number;
  /** May write and read the accounts that begin with `accountPrefix`, and no others. */
  readonly key: string;
  readonly accountPrefix: string;
  /** An account of the attacker with millions of events. */
  readonly whale: string;
  /** An account of the attacker with a quota of a few events a minute. */
  readonly smallQuotaAccount: string;
  /** The share of its usual connections and rate that an attack uses, from 0 to 1: the parts of a mix share them. */
  readonly share: number;
}

/** An event type that the service accepts and that no event has. */
export const RARE_TYPE = "rare";

/** The means of an attack. */
export interface Arms {
  readonly target: Target;
  readonly wires: Wires;
  /** Scales a number of connections or requests by the share of this attack; at least 1. */
  readonly some: (count: number) => number;
  /** Whether the attack has ended. Its connections are closed then, and it must start nothing new. */
  readonly isOver: () => boolean;
  /** Returns after this time, or when the attack ends. */
  readonly pause: (ms: number) => Promise<void>;
}

/** What a hostile client does to the service until it is stopped. */
export interface Attack {
  readonly name: string;
  readonly about: string;
  readonly run: (arms: Arms) => Promise<void>;
}

/** Concurrent attacks, each with a share of its usual strength. */
export interface Mix {
  readonly name: string;
  readonly about: string;
  readonly parts: ReadonlyArray<string>;
  readonly share: number;
}
