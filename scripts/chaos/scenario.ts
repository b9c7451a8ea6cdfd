import type { Settings } from "../../adapters/embedded_postgres/settings.ts";
import type { LoadProfile } from "./load_generator.ts";
import type { Random } from "./random.ts";
import type { Role } from "./role.ts";
import type { Stage } from "./stage.ts";
import type { Moment } from "./trap.ts";

/** A way to break the service, and the promise that must hold all the same. */
export interface Scenario {
  /** The promise, in a few words; also the name of its file. */
  readonly name: string;
  /** What is done to the service. */
  readonly about: string;
  /** Its share of the time of a run, against that of the others; 1 unless told. */
  readonly weight?: number;
  /** What the clients do meanwhile; `NORMAL_LOAD` unless told. */
  readonly load?: LoadProfile;
  /** What the machine must have; without it the scenario is left out. */
  readonly needs?: "redis";
  /** Whether it is a failure when a read is not answered with a summary. */
  readonly readsNeverFail?: boolean;
  /**
   * How long a request may have been under way when its connection breaks, in milliseconds. What breaks
   * sooner crossed with the end of an idle connection, which HTTP/1.1 cannot avoid.
   */
  readonly brokenRequestMaxMs?: number;
  /** A stage of its own, for what would not leave the common one as it was. */
  readonly ownDisk?: OwnDisk;
  /** Breaks things until the time is up, and leaves everything whole and running. */
  readonly run: (scene: Scene) => Promise<void>;
}

/** A small disk for the database. */
export interface OwnDisk {
  readonly megabytes: number;
  readonly postgresSettings: Settings;
}

/** The stage while a scenario plays on it. */
export interface Scene extends Stage {
  /** Starts one more process of a role, which ends with the scenario; returns when it is ready. */
  readonly another: Stage["another"];
  /** Makes the choices of this scenario: a seed repeats them. */
  readonly random: Random;
  /** How long faults may go on, in milliseconds; not below 0. */
  readonly leftMs: () => number;
  /** Does something at least once, and again until the time is up. */
  readonly repeat: (strike: () => Promise<void>) => Promise<void>;
  /** Waits a random time up to this, in milliseconds, but no longer than there is. */
  readonly rest: (maxMs: number) => Promise<void>;
  /** Counts something that was killed. */
  readonly killed: () => void;
  /** Counts another fault. */
  readonly broke: () => void;
  /**
   * Kills a process at a moment of a statement of its own; at any moment if that does not come soon,
   * which is not counted as met.
   */
  readonly killAt: (role: Role, moment: Moment, statement: RegExp) => Promise<void>;
  /** Counts whether a moment that was aimed at was met. A scenario that never meets one has failed. */
  readonly aimed: (met: boolean) => void;
  /** Tells something that the table has no column for. */
  readonly note: (sentence: string) => void;
  /** Fails the scenario for what no judge can see. */
  readonly fail: (sentence: string) => void;
  /** The folder of a scenario's own disk. */
  readonly diskFolder: string | undefined;
}
