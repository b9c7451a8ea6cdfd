import type Router from "@koa/router";
import { Clock, Context as Services, Exit, Option, type Tracer } from "effect";
import { Headers, HttpTraceContext } from "effect/http";
import type { Context, Middleware } from "koa";

import { methodOf, problemIn, routeOf } from "./observe.ts";

/** How to trace requests. */
export interface RequestTracing {
  readonly tracer: Tracer.Tracer;
  /** Decides whether to trace a request that has no `traceparent`. */
  readonly sample: () => boolean;
}

/**
 * Makes a span for each request whose `traceparent` is sampled, and for some without one. The span
 * has the route and the status, but not the path, which contains an account.
 *
 * @see https://www.w3.org/TR/trace-context/
 */
export const traceRequests = ({ tracer, sample }: RequestTracing, router: Router): Middleware => {
  const clock = Services.get(Services.empty(), Clock.Clock);
  return (ctx, next) => {
    const traceparent = ctx.get("traceparent");
    const parent = HttpTraceContext.w3c(Headers.fromInput({ traceparent }));
    if (!(Option.isSome(parent) ? parent.value.sampled : sample())) return next();
    const method = methodOf(ctx);
    const route = routeOf(router, ctx);
    const span = tracer.span({
      name: `${method} ${route}`,
      parent,
      annotations: Services.empty(),
      links: [],
      startTime: clock.currentTimeNanosUnsafe(),
      kind: "server",
      root: Option.isNone(parent),
      sampled: true,
    });
    span.attribute("http.request.method", method);
    span.attribute("http.route", route);
    ctx.state["span"] = span;
    ctx.res.once("close", () => {
      const { statusCode } = ctx.res;
      const problem = problemIn(ctx);
      span.attribute("http.response.status_code", statusCode);
      if (problem !== undefined) span.attribute("tidemark.problem", problem);
      const exit = statusCode < 500 ? Exit.void : Exit.fail(new Error(problem ?? `${statusCode}`));
      span.end(clock.currentTimeNanosUnsafe(), exit);
    });
    return next();
  };
};

/** The span of a request; undefined if it is not traced. */
export const spanOfRequest = (ctx: Context): Tracer.Span | undefined =>
  ctx.state["span"] as Tracer.Span | undefined;
