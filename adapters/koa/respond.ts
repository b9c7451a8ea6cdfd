import { Cause, type Context as Services, Effect, Exit, Result } from "effect";
import type { Context } from "koa";

import { type Failure, INTERNAL_PROBLEM, type Problem, problemOf } from "./problem.ts";

/** Runs a route's effect on the services and answers with its success or the problem it failed with. */
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
    if (Result.isSuccess(failure)) {
      sendProblem(ctx, problemOf(failure.success));
      return;
    }
    await run(logDefect(ctx, exit.cause));
    sendProblem(ctx, INTERNAL_PROBLEM);
  };
};

/** Answers with a problem document. */
export const sendProblem = (ctx: Context, problem: Problem): void => {
  ctx.status = problem.status;
  if (problem.retry_after !== undefined) ctx.set("Retry-After", String(problem.retry_after));
  ctx.body = problem;
  ctx.type = "application/problem+json";
};

const logDefect = (ctx: Context, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.logError("A request failed", cause).pipe(
    Effect.annotateLogs({ method: ctx.method, path: ctx.path }),
  );
