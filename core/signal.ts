import { Context, type Duration, Effect, Latch } from "effect";

/**
 * Wakes a polling loop early, inside one process. A raise is remembered until the next wait, so that
 * one which comes while the loop is busy is not lost. Nothing depends on it but latency: every loop
 * also polls, because the work may come from another process.
 */
export interface Signal {
  readonly raise: Effect.Effect<void>;
  /** Returns when the signal was raised since the last wait, or after `atMost`. */
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

/** The two places where one station hands over to the next. */
export class Signals extends Context.Service<
  Signals,
  {
    /** The queue got jobs: the worker may take them. */
    readonly queued: Signal;
    /** The log got events: the projector may fold them. */
    readonly appended: Signal;
  }
>()("tidemark/Signals") {}

export const makeSignals = (): Signals["Service"] => ({
  queued: makeSignal(),
  appended: makeSignal(),
});
