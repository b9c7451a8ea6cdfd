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

/** @param now a monotonic clock, in milliseconds */
export const makeTaskFaults = (
  meters: Meters["Service"],
  now = () => performance.now(),
): TaskFaults["Service"] => {
  const counts = meters.counter(
    "tidemark_background_failures_total",
    "Failures of background tasks, by task.",
  );
  const failing = new Map<string, { readonly since: number; readonly reason: string }>();
  return {
    observe: (task) => {
      const count = counts({ task });
      return {
        failed: (reason) => {
          count();
          failing.set(task, { since: failing.get(task)?.since ?? now(), reason });
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
