import type { Settings } from "../../adapters/embedded_postgres/settings.ts";
import type { Random } from "../testbed/choose.ts";
import type { LoadProfile } from "./load_generator.ts";
import type { Role } from "./role.ts";
import type { Stage } from "./stage.ts";
import type { Moment } from "./trap.ts";

/** A way to break the service, and the promise that must hold nevertheless. */
export interface Scenario {
  /** The promise in a few words. */
  readonly name: string;
  /** What breaks. */
  readonly about: string;
  /** Its share of the time of a run, relative to the other scenarios; 1 by default. */
  readonly weight?: number;
  /** What the clients send; `NORMAL_LOAD` by default. */
  readonly load?: LoadProfile;
  /** What the machine must have. Otherwise the scenario is skipped. */
  readonly needs?: "redis";
  /** Whether every read must be answered with a summary. */
  readonly readsNeverFail?: boolean;
  /**
   * How long a request may have been in flight when its connection breaks, in milliseconds. A shorter time means that the
   * request crossed with the server closing an idle connection, which HTTP/1.1 cannot avoid.
   */
  readonly brokenRequestMaxMs?: number;
  /** A stage with its own small disk, for what would damage the shared one. */
  readonly ownDisk?: OwnDisk;
  /** Breaks things until the time is over, and leaves everything whole and running. */
  readonly run: (scene: Scene) => Promise<void>;
}

/** A small disk for the database. */
export interface OwnDisk {
  readonly megabytes: number;
  readonly postgresSettings: Settings;
}

/** The stage of a running scenario. */
export interface Scene extends Stage {
  /** Starts one more process of a role, which ends with the scenario; returns when it is ready. */
  readonly another: Stage["another"];
  /** The random choices of this scenario, which the seed repeats. */
  readonly random: Random;
  /** The remaining time for faults, in milliseconds; never negative. */
  readonly leftMs: () => number;
  /** Repeats something until the time is over, at least once. */
  readonly repeat: (strike: () => Promise<void>) => Promise<void>;
  /** Waits a random time of at most `maxMs`, and never beyond the end. */
  readonly rest: (maxMs: number) => Promise<void>;
  /** Counts a kill. */
  readonly killed: () => void;
  /** Counts any other fault. */
  readonly broke: () => void;
  /**
   * Kills a process at a moment of one of its statements. If the moment does not come soon, kills it anyway, and counts the
   * moment as missed.
   */
  readonly killAt: (role: Role, moment: Moment, statement: RegExp) => Promise<void>;
  /** Counts whether an aim met its moment. A scenario that always misses fails. */
  readonly aimed: (met: boolean) => void;
  /** Adds something to the report. */
  readonly note: (sentence: string) => void;
  /** Fails the scenario for a reason that the judge cannot see. */
  readonly fail: (sentence: string) => void;
  /** The folder of the scenario's own disk. */
  readonly diskFolder: string | undefined;
}

// The statements that scenarios aim at, recognised by their text on the wire. If a text changes, scenarios miss all
// their moments and fail.

/** pg-boss stores a batch: the commit before a 202. */
export const ENQUEUE: RegExp = /json_to_recordset\(\$1::text::json\)/;

/** pg-boss hands out jobs to a worker. */
export const FETCH: RegExp = /FOR UPDATE OF j SKIP LOCKED/;

/** The worker appends events to a shard of the log. */
export const APPEND: RegExp = /tidemark\.append\(/;

/** pg-boss completes jobs. */
export const ACKNOWLEDGE: RegExp = /SET completed_on[^]*state = 'completed'/;

/** The projector folds a slice of a shard and moves its checkpoint. */
export const STEP: RegExp = /slice as materialized/;
