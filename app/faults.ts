import { type Capacity, SAMPLE_VALID_MS } from "../core/command/capacity.ts";
import type { TaskObserver } from "../core/report_faults.ts";
import { BACKGROUND_FAILURES } from "./metrics/families.ts";
import type { Meters } from "./metrics/meters.ts";

/** Keeps account of tasks whose failures no caller sees. */
export interface Faults {
  /** What core reports to. */
  readonly observe: (task: string) => TaskObserver;
  /** Why each task fails that a promise of the service depends on, by its name, if it has failed for `LASTING_MS`. */
  readonly lasting: () => Readonly<Record<string, string>>;
}

/**
 * The tasks without which a process does not keep its promises: one that cannot read the checkpoints gives kept answers that
 * miss events of more than a second ago.
 */
const ESSENTIAL: ReadonlySet<string> = new Set(["checkpoints"]);

/** How long an essential task fails before the process is not ready: a connection that broke is no reason. */
export const LASTING_MS = 5_000;

interface Failing {
  readonly since: number;
  reason: string;
}

/** @param now a clock that is never set, in milliseconds */
export const makeFaults = (meters: Meters, now = () => performance.now()): Faults => {
  const failing = new Map<string, Failing>();
  return {
    observe: (task) => {
      const count = meters.counter(BACKGROUND_FAILURES, { task });
      return {
        failed: (reason) => {
          count();
          const known = failing.get(task);
          if (known === undefined) failing.set(task, { since: now(), reason });
          else known.reason = reason;
        },
        recovered: () => void failing.delete(task),
      };
    },
    lasting: () => {
      const at = now();
      const found = [...failing].filter(
        ([task, { since }]) => ESSENTIAL.has(task) && at - since >= LASTING_MS,
      );
      return Object.fromEntries(found.map(([task, { reason }]) => [task, `failing: ${reason}`]));
    },
  };
};

/**
 * Why a process is not ready though its database is: an essential task fails, or it does not know how much waits, so that
 * it accepts nothing.
 *
 * @param capacity of a process that takes events
 */
export const reasonsOf =
  (faults: Pick<Faults, "lasting">, capacity: Pick<Capacity, "isUnknown"> | undefined) =>
  (): Readonly<Record<string, string>> =>
    capacity?.isUnknown(Date.now()) === true
      ? {
          ...faults.lasting(),
          backlog: `unknown: it has not been read for ${SAMPLE_VALID_MS / 1_000} s, and nothing is accepted`,
        }
      : faults.lasting();
