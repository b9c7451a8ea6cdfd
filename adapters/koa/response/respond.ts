import { Cause, type Context as Services, Effect, Exit, References, Result } from "effect";
import type { Context } from "koa";

import { Client } from "../../../core/access/client.ts";
import { inside } from "../../../core/trace.ts";
import { clientOf } from "../access/principal.ts";
import { noteProblem } from "../telemetry/observe.ts";
import { requestIdOf } from "../telemetry/request_id.ts";
import { spanOfRequest } from "../telemetry/trace_requests.ts";
import { type Failure, headersOf, type Problem, problemOf } from "./problem.ts";

/**
 * Runs a route's effect on the services and answers with its success or the problem it failed with. When the client
 * leaves before that, the effect is interrupted, and nothing is answered. Throws its defects.
 */
export type Respond<R> = <A>(
  ctx: Context,
  effect: Effect.Effect<A, Failure, R>,
  onSuccess: (value: A) => void,
) => Promise<void>;

/** @param timeoutMs how long an answer may take; then it is a problem, and what runs is interrupted */
export const makeRespond = <R>(services: Services.Context<R>, timeoutMs: number): Respond<R> => {
  const run = Effect.runForkWith(services);
  return async (ctx, effect, onSuccess) => {
    const span = spanOfRequest(ctx);
    const inTime = Effect.timeoutOrElse(span === undefined ? effect : inside(span)(effect), {
      duration: timeoutMs,
      orElse: () => Effect.fail<Failure>({ _tag: "DeadlineExceeded" }),
    });
    const { res } = ctx;
    // Nobody could be told: while the gate found out who asks, the client has left.
    if (res.destroyed) return;
    // Whatever is logged on the way names the request.
    const named = Effect.provideService(inTime, References.CurrentLogAnnotations, {
      request_id: requestIdOf(ctx.req),
    });
    const fiber = run(Effect.provideService(named, Client, clientOf(ctx)));
    const leave = (): void => fiber.interruptUnsafe();
    res.once("close", leave);
    const exit = await new Promise<Parameters<Parameters<typeof fiber.addObserver>[0]>[0]>(
      (resolve) => fiber.addObserver(resolve),
    );
    res.off("close", leave);
    if (Exit.hasInterrupts(exit) && res.destroyed) return;
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
  noteProblem(ctx, problem);
  ctx.status = problem.status;
  ctx.body = { ...problem, request_id: requestIdOf(ctx.req) };
  // Behind the body, which sets a content type of its own.
  ctx.set(headersOf(problem));
};
