import { Cause, type Context as Services, Effect, Exit, Result } from "effect";
import type { Context } from "koa";

import { type Failure, headersOf, type Problem, problemOf } from "./problem.ts";

/**
 * Runs a route's effect on the services and answers with its success or the problem it failed with.
 * Throws its defects.
 */
export type Respond<R> = <A>(
  ctx: Context,
  effect: Effect.Effect<A, Failure, R>,
  onSuccess: (value: A) => void,
) => Promise<void>;

export const makeRespond = <R>(services: Services.Context<R>): Respond<R> => {
  const run = Effect.runPromiseExitWith(services);
  return async (ctx, effect, onSuccess) => {
    const exit = await run(effect);
    if (Exit.isSuccess(exit)) {
      onSuccess(exit.value);
      return;
    }
    const failure = Cause.findError(exit.cause);
    if (Result.isFailure(failure)) throw Cause.squash(exit.cause);
    sendProblem(ctx, problemOf(failure.success));
  };
};

/** Answers with a problem document. */
export const sendProblem = (ctx: Context, problem: Problem): void => {
  ctx.status = problem.status;
  ctx.body = problem;
  // Behind the body, which sets a content type of its own.
  ctx.set(headersOf(problem));
};
