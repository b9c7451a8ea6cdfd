import { Cause, Context as Services, Effect, Exit, References, Result } from "effect";
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
export const makeRespond =
  <R>(services: Services.Context<R>, timeoutMs: number): Respond<R> =>
  async (ctx, effect) => {
    const { res } = ctx;
    // The client may have left while its key was looked up, or its body read.
    if (res.destroyed) return;
    // On the hot path: services that are added to the context and a plain timer cost a request 1
    // µs, the same around the effect (`provideService`, `timeout`) 4.
    const request = services.pipe(
      Services.add(Client, clientOf(ctx)),
      Services.add(References.CurrentLogAnnotations, { request_id: requestIdOf(ctx.req) }),
    );
    const span = spanOfRequest(ctx);
    const fiber = Effect.runForkWith(request)(span === undefined ? effect : inside(span)(effect));
    const interrupt = (): void => fiber.interruptUnsafe();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      interrupt();
    }, timeoutMs);
    res.once("close", interrupt);
    const exit = await new Promise<Exit.Exit<Reply, Failure>>((resolve) =>
      fiber.addObserver(resolve),
    );
    clearTimeout(timer);
    res.off("close", interrupt);
    if (Exit.isSuccess(exit)) return sendReply(ctx, exit.value);
    const isInterrupted = Exit.hasInterrupts(exit);
    if (isInterrupted && res.destroyed) return;
    if (isInterrupted && isLate) return sendProblem(ctx, problemOf({ _tag: "DeadlineExceeded" }));
    const failure = Cause.findError(exit.cause);
    if (Result.isFailure(failure)) throw Cause.squash(exit.cause);
    sendProblem(ctx, problemOf(failure.success));
  };
