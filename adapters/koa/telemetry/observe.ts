import type Router from "@koa/router";
import type { Context, Middleware } from "koa";

import { nameOf, type Problem } from "../response/problem.ts";
import { requestIdOf } from "./request_id.ts";

/** A request that is over. */
export interface ResponseRecord {
  /** The pattern of its route, such as `/jobs/:id`; never what a client made up. */
  readonly route: string;
  /** Its method, or OTHER. */
  readonly method: string;
  /** The status of the answer; 499 if the client did not wait for its end. */
  readonly status: number;
  /** From when its headers were read until the answer was handed to the connection. */
  readonly seconds: number;
  /** As in its answer's `X-Request-Id`; undefined for a kept answer or a probe that nobody named. */
  readonly request_id: string | undefined;
  /** Which problem it was answered with, such as `queue-full`. */
  readonly problem?: string | undefined;
}

/** Is told of each request that is over, and must be quick about it: the hot path waits for it. */
export type OnResponse = (answered: ResponseRecord) => void;

/** The route of what has none. */
export const UNMATCHED = "unmatched";

/** No status of HTTP, but what proxies log for it. */
const STATUS_CLIENT_LEFT = 499;

const METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
]);

/** The method as a label of which there are few. */
export const methodOf = (ctx: Context): string => (METHODS.has(ctx.method) ? ctx.method : "OTHER");

/** The pattern of the route that a request has matched or, refused ahead of the router, would have. */
export const routeOf = (router: Router, ctx: Context): string => {
  const matched = ctx["_matchedRoute"] as string | RegExp | undefined;
  const route = matched ?? router.match(ctx.path, ctx.method).pathAndMethod.at(-1)?.path;
  return route === undefined ? UNMATCHED : String(route);
};

/** What a request was refused with, for who observes it. */
export const noteProblem = (ctx: Context, problem: Problem): void => {
  ctx.state["problem"] = nameOf(problem);
};

/** Tells of a request when it is over; the route is found out then. */
export const observeAnswer = (ctx: Context, onResponse: OnResponse, route: () => string): void => {
  const since = performance.now();
  ctx.res.once("close", () => {
    onResponse({
      route: route(),
      method: methodOf(ctx),
      status: ctx.res.writableFinished ? ctx.res.statusCode : STATUS_CLIENT_LEFT,
      seconds: (performance.now() - since) / 1_000,
      request_id: requestIdOf(ctx.req),
      problem: ctx.state["problem"] as string | undefined,
    });
  });
};

/** Tells of every request that gets here. */
export const observeAnswers =
  (onResponse: OnResponse, router: Router): Middleware =>
  (ctx, next) => {
    observeAnswer(ctx, onResponse, () => routeOf(router, ctx));
    return next();
  };
