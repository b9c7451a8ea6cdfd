import type Router from "@koa/router";
import type { Context, Middleware } from "koa";

import { nameOf, type Problem } from "../response/problem.ts";
import { requestIdOf } from "./request_id.ts";

/** A request that has ended. */
export interface ResponseRecord {
  /** The pattern of its route, such as `/jobs/:id`; never text that a client chose. */
  readonly route: string;
  /** Its method, or OTHER. */
  readonly method: string;
  /** The status of the response; 499 if the client did not wait for all of it. */
  readonly status: number;
  /** From the end of its headers until the response was handed to the connection. */
  readonly seconds: number;
  /** The `X-Request-Id` of the response. */
  readonly request_id: string;
  /** The name of the problem that was sent, such as `queue-full`. */
  readonly problem?: string | undefined;
}

/** Called for every request that has ended. It must be fast: it is on the hot path. */
export type OnResponse = (response: ResponseRecord) => void;

/** The route of requests that match none. */
const UNMATCHED = "unmatched";

/** Not an HTTP status, but the one that proxies log when the client has left. */
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

/** The method as a label with few values. */
export const methodOf = (ctx: Context): string => (METHODS.has(ctx.method) ? ctx.method : "OTHER");

/** Sets the route of a request that the router does not see; without a pattern none. */
export const setRoute = (ctx: Context, pattern = UNMATCHED): void => {
  // Where the router sets it, too.
  ctx["_matchedRoute"] = pattern;
};

/** The pattern of the route that a request matches, or would have matched in the router. */
export const routeOf = (router: Router, ctx: Context): string => {
  const matched = ctx["_matchedRoute"] as string | RegExp | undefined;
  const route = matched ?? router.match(ctx.path, ctx.method).pathAndMethod.at(-1)?.path;
  return route === undefined ? UNMATCHED : String(route);
};

/** Records the problem that a request is answered with. */
export const noteProblem = (ctx: Context, problem: Problem): void => {
  ctx.state["problem"] = nameOf(problem);
};

/** The name of the problem that a request was answered with, if it was. */
export const problemIn = (ctx: Context): string | undefined =>
  ctx.state["problem"] as string | undefined;

/** Reports every request when it has ended. */
export const observeRequests =
  (onResponse: OnResponse, router: Router): Middleware =>
  (ctx, next) => {
    const since = performance.now();
    const { req, res } = ctx;
    res.on("close", () => {
      onResponse({
        route: routeOf(router, ctx),
        method: methodOf(ctx),
        status: res.writableFinished ? res.statusCode : STATUS_CLIENT_LEFT,
        seconds: (performance.now() - since) / 1_000,
        request_id: requestIdOf(req),
        problem: problemIn(ctx),
      });
    });
    return next();
  };
