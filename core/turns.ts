import { Context, Data, Effect } from "effect";

/**
 * Work in steps, so that the thread can do something else in between. Each call does the next step, of about a
 * millisecond, and returns undefined while there are more.
 */
export type Work<A> = () => A | undefined;

/** Work was refused: too much is waiting already (`full`), or it waited too long (`late`). */
export class TurnRefused extends Data.TaggedError("TurnRefused")<{
  readonly reason: "full" | "late";
  readonly retryAfterSeconds: number;
}> {}

/**
 * Divides the thread among clients, in turns, so that no client's work blocks the others. By default, work runs without
 * interruption.
 */
export const Turns = Context.Reference<{
  /**
   * Runs work in the turns of a client. An interrupt stops it after the current step.
   *
   * @param client as `Client` names it
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
