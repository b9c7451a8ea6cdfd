import { Cause, type Context as Services, Effect, Exit, References, Result } from "effect";
import type { Context } from "koa";

import { Client } from "../../../core/access/principal.ts";
import { inside } from "../../../core/trace.ts";
import { clientOf } from "../access/principal.ts";
import { requestIdOf } from "../telemetry/request_id.ts";
import { spanOfRequest } from "../telemetry/trace_requests.ts";
import { type Failure, problemOf } from "./problem.ts";
import { type Reply, sendProblem, sendReply } from "./reply.ts";

/** Runs an effect within a request: its logs carry the request's ID, its spans are in its trace. */
export const inRequest = <A, E, R>(
  ctx: Context,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> => {
  const span = spanOfRequest(ctx);
  return Effect.provideService(
    span === undefined ? effect : inside(span)(effect),
    References.CurrentLogAnnotations,
    { request_id: requestIdOf(ctx.req) },
  );
};

/**
 * Runs a route's effect and sends its reply, or the problem that it failed with. If the client
 * leaves, the effect is interrupted and nothing is sent. Throws defects of the effect.
 */
export type Respond<R> = (ctx: Context, effect: Effect.Effect<Reply, Failure, R>) => Promise<void>;

/** @param timeoutMs after which the effect is interrupted, and the answer is a problem */
export const makeRespond = <R>(services: Services.Context<R>, timeoutMs: number): Respond<R> => {
  const run = Effect.runForkWith(services);
  return async (ctx, effect) => {
    const { res } = ctx;
    // The client may have left while its key was looked up, or its body read.
    if (res.destroyed) return;
    const inTime = Effect.timeoutOrElse(effect, {
      duration: timeoutMs,
      orElse: () => Effect.fail<Failure>({ _tag: "DeadlineExceeded" }),
    });
    const fiber = run(inRequest(ctx, Effect.provideService(inTime, Client, clientOf(ctx))));
    const interrupt = (): void => fiber.interruptUnsafe();
    res.once("close", interrupt);
    const exit = await new Promise<Exit.Exit<Reply, Failure>>((resolve) =>
      fiber.addObserver(resolve),
    );
    res.off("close", interrupt);
    if (Exit.isSuccess(exit)) return sendReply(ctx, exit.value);
    if (Exit.hasInterrupts(exit) && res.destroyed) return;
    const failure = Cause.findError(exit.cause);
    if (Result.isFailure(failure)) throw Cause.squash(exit.cause);
    sendProblem(ctx, problemOf(failure.success));
  };
};
