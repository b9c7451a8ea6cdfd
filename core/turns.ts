import { Context, Data, Effect } from "effect";

/**
 * Work that is done step by step, so that the thread can do something else in between. Each call does the next step, a
 * millisecond's work or so, and returns undefined while there is more to do.
 */
export type Work<A> = () => A | undefined;

/** There was no turn for some work: too much waits already, or it waited too long. */
export class TurnRefused extends Data.TaggedError("TurnRefused")<{
  readonly reason: "full" | "late";
  readonly retryAfterSeconds: number;
}> {}

/**
 * Gives the thread to work in turns, so that nobody's keeps the others waiting. Unless a service provides its own, work is
 * done in one go.
 */
export const Turns = Context.Reference<{
  /**
   * Does some work in the turns of a client. Interrupted, it does no more of it.
   *
   * @param client who shares the thread with the others, as `Client` names it
   */
  readonly run: <A>(client: string, work: Work<A>) => Effect.Effect<A, TurnRefused>;
}>("tidemark/Turns", {
  defaultValue: () => ({ run: (_, work) => Effect.sync(() => finish(work)) }),
});

const finish = <A>(work: Work<A>): A => {
  for (;;) {
    const done = work();
    if (done !== undefined) return done;
  }
};
