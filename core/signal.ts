import { Context, type Duration, Effect, Latch } from "effect";

import type { TracedAppend } from "./projection/trace_visible.ts";

/**
 * Wakes a polling loop early, within one process. A raise is remembered until the next wait, so one that arrives while
 * the loop is busy is not lost. Only latency depends on it: every loop also polls, because work may come from another
 * process.
 */
export interface Signal {
  readonly raise: Effect.Effect<void>;
  /** Returns once the signal was raised since the last wait, or after `atMost`. */
  readonly wait: (atMost: Duration.Input) => Effect.Effect<void>;
}

export const makeSignal = (): Signal => {
  const latch = Latch.makeUnsafe(false);
  return {
    raise: Effect.asVoid(Latch.open(latch)),
    wait: (atMost) =>
      latch.await.pipe(
        Effect.timeoutOption(atMost),
        Effect.andThen(Latch.close(latch)),
        Effect.asVoid,
      ),
  };
};

/** What one station of a process passes on to the next, in addition to the data itself. */
export class Signals extends Context.Service<
  Signals,
  {
    /** The queue received jobs for the worker. */
    readonly queued: Signal;
    /** The log received events for the projector. */
    readonly appended: Signal;
    /** Traced jobs that the worker has appended and the projector has not folded yet. */
    readonly tracedAppends: Set<TracedAppend>;
  }
>()("tidemark/Signals") {}

export const makeSignals = (): Signals["Service"] => ({
  queued: makeSignal(),
  appended: makeSignal(),
  tracedAppends: new Set(),
});
