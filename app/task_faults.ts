import { Context, Effect, Layer } from "effect";

import { FaultObserver, type TaskObserver } from "../core/report_faults.ts";
import { Meters } from "./metrics/meters.ts";

/** Counts failures of background tasks, whose errors no caller sees. */
export class TaskFaults extends Context.Service<
  TaskFaults,
  {
    /** What core reports to. */
    readonly observe: (task: string) => TaskObserver;
    /** Essential tasks that have failed for `LASTING_MS`, with their causes. */
    readonly lasting: () => Readonly<Record<string, string>>;
  }
>()("tidemark/TaskFaults") {
  static readonly layer: Layer.Layer<TaskFaults, never, Meters> = Layer.effectContext(
    Effect.map(Meters, (meters) => {
      const faults = makeTaskFaults(meters);
      return Context.make(TaskFaults, faults).pipe(Context.add(FaultObserver, faults.observe));
    }),
  );
}

/**
 * The tasks without which a process breaks a promise: without the checkpoints it serves cached
 * summaries that lack events of more than a second ago.
 */
const ESSENTIAL: ReadonlySet<string> = new Set(["checkpoints"]);

/**
 * How long an essential task must fail before the process is not ready: a broken connection is not
 * enough.
 */
export const LASTING_MS = 5_000;

interface Failing {
  readonly since: number;
  reason: string;
}

/** @param now a monotonic clock, in milliseconds */
export const makeTaskFaults = (
  meters: Meters["Service"],
  now = () => performance.now(),
): TaskFaults["Service"] => {
  const counts = meters.counter(
    "tidemark_background_failures_total",
    "Failures of background tasks, by task.",
  );
  const failing = new Map<string, Failing>();
  return {
    observe: (task) => {
      const count = counts({ task });
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
