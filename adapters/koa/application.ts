import type { IncomingMessage } from "node:http";

import Router from "@koa/router";
import { Context as Services } from "effect";
import Koa, { type Context, type Middleware, type Next } from "koa";

import type { Access } from "../../core/access/access.ts";
import { ANYONE } from "../../core/access/principal.ts";
import { EventRules } from "../../core/event/rules.ts";
import { makeCors } from "./access/cors.ts";
import { letAnyoneIn, makeGate } from "./access/gate.ts";
import { makeRateLimit, type RateLimitOptions } from "./access/rate_limit.ts";
import { addDocumentRoutes } from "./openapi/document_routes.ts";
import type { Bodies } from "./request/bodies.ts";
import { INTERNAL_PROBLEM, problemOf, type RequestFault } from "./response/problem.ts";
import { sendProblem } from "./response/respond.ts";
import { setSecurityHeaders } from "./response/security_headers.ts";
import { addHealthRoutes, type HealthOptions } from "./routes/health.ts";
import { makeHealthAnswers } from "./routes/health_answers.ts";
import { addApiRoutes, type ApiServices, type OnTurn, type RouteLimits } from "./routes/routes.ts";
import { type AnswerKept, makeSummaryRoute } from "./routes/summary_route.ts";
import type { RequestListener } from "./server/server.ts";
import { observeAnswer, observeAnswers, type OnResponse, UNMATCHED } from "./telemetry/observe.ts";
import { REQUEST_ID_HEADER, requestIdOf } from "./telemetry/request_id.ts";
import { type RequestTracing, spanOfRequest, traceRequests } from "./telemetry/trace_requests.ts";

export interface ApplicationOptions extends HealthOptions {
  /**
   * What the routes of the API run on. "starting" answers them with 503; undefined leaves them out, in
   * a process without the api role.
   */
  readonly services: Services.Context<ApiServices> | "starting" | undefined;
  /** Tells who asks; undefined while the service is starting, and has nothing to ask for. */
  readonly access: Access["Service"] | undefined;
  readonly limits: RouteLimits;
  /** Where the bodies of requests are received; the server that the requests come from calls `receive`. */
  readonly bodies: Bodies;
  readonly rateLimit: RateLimitOptions;
  /** How many proxies stand before the service, and tell it in X-Forwarded-For who asks. */
  readonly proxies: number;
  /** Other names than localhost that the service is open under while there is no key, in lower case. */
  readonly allowedHosts: ReadonlySet<string>;
  /** Whose pages a browser may let ask; none for nobody's. */
  readonly corsOrigins: ReadonlySet<string>;
  /** Is told of every request that failed by a fault of ours, and why. */
  readonly onDefect: (defect: unknown, request: FailedRequest) => void;
  /** Is told of every request that is over. */
  readonly onResponse: OnResponse;
  /** Is told how long each body has waited for its turns to be decoded. */
  readonly onTurn?: OnTurn;
  /** How requests are traced; undefined if they are not. */
  readonly tracing?: RequestTracing | undefined;
}

export interface FailedRequest {
  readonly method: string;
  readonly path: string;
  /** As in its answer's `X-Request-Id`. */
  readonly request_id: string;
  /** Names its trace, if it is traced. */
  readonly trace_id?: string;
}

export interface Application {
  readonly koa: Koa;
  /** Answers requests: kept summaries and health ahead of koa, and the rest by it. */
  readonly listener: RequestListener;
}

/** The HTTP face of the service. */
export const makeApplication = (options: ApplicationOptions): Application => {
  const { services, limits, corsOrigins, onDefect, onResponse, access, tracing } = options;
  const router = new Router();
  const koa = new Koa({ proxy: options.proxies > 0, maxIpsCount: options.proxies });
  koa.use(nameRequest);
  koa.use(refuseMalformed(onResponse));
  // Ahead of the gate: a browser asks without a key what it may send.
  if (corsOrigins.size > 0) koa.use(makeCors(corsOrigins));
  if (tracing !== undefined) koa.use(traceRequests(tracing, router));
  const rateLimit = makeRateLimit(options.rateLimit);
  const { allowedHosts } = options;
  const isBehindProxies = options.proxies > 0;
  const gate = access && makeGate({ access, rateLimit, isBehindProxies, allowedHosts });
  addHealthRoutes(router, options);
  let answerKept: AnswerKept = () => false;
  if (typeof services === "object") {
    addApiRoutes(router, services, options.bodies, limits, options.onTurn);
    addDocumentRoutes(router, Services.get(services, EventRules));
    const known = gate?.known ?? (() => ANYONE);
    const summary = makeSummaryRoute(services, limits.answerTimeoutMs, known, onResponse);
    summary.addRoute(router);
    answerKept = summary.answerKept;
  }
  // Whose answers have to carry something of koa's, or are followed, go through it.
  const isPlain = corsOrigins.size === 0 && tracing === undefined;
  if (!isPlain) koa.use(beside(answerKept));
  koa.use(setSecurityHeaders);
  // Behind what was kept, which tells of itself for less.
  koa.use(observeAnswers(onResponse, router));
  koa.use(answerThrown(onDefect));
  koa.use(gate?.admit ?? letAnyoneIn);
  koa.use(router.routes());
  koa.use(services === "starting" ? refuseWhileStarting : answerUnmatched(router));
  // What gets here could not be sent. Mostly because the client is gone, which is no fault; Koa would
  // print it.
  koa.on("error", (error: { headerSent?: boolean }, ctx: Context) => {
    if (error.headerSent !== true) onDefect(error, failedRequest(ctx));
  });
  const answer = koa.callback();
  const answerHealth = makeHealthAnswers(options, onResponse);
  return {
    koa,
    listener: isPlain
      ? (request, response) =>
          (framingFault(request) === undefined &&
            (answerKept(request, response) || answerHealth(request, response))) ||
          answer(request, response)
      : answer,
  };
};

/** What answers some requests by itself, as a part of koa. */
const beside =
  (answer: AnswerKept): Middleware =>
  (ctx, next) => {
    if (!answer(ctx.req, ctx.res)) return next();
    ctx.respond = false;
    spanOfRequest(ctx)?.attribute("tidemark.cache.tier", "lru");
    return undefined;
  };

/** Every answer says which request it is of. */
const nameRequest: Middleware = (ctx, next) => {
  ctx.set(REQUEST_ID_HEADER, requestIdOf(ctx.req));
  return next();
};

const refuseMalformed =
  (onResponse: OnResponse) =>
  (ctx: Context, next: Next): unknown => {
    const fault = requestFault(ctx);
    if (fault === undefined) return next();
    observeAnswer(ctx, onResponse, () => UNMATCHED);
    // Where such a request ends is a matter of opinion, so nothing behind it is read as the next one.
    if (framingFault(ctx.req) !== undefined) ctx.set("Connection", "close");
    sendProblem(ctx, problemOf(fault));
    return undefined;
  };

const requestFault = (ctx: Context): RequestFault | undefined => {
  const { headers, httpVersion } = ctx.req;
  if (headers.host === undefined && httpVersion === "1.1") {
    return { _tag: "HttpMalformed", message: "The Host header is missing." };
  }
  const framing = framingFault(ctx.req);
  if (framing !== undefined) return { _tag: "HttpMalformed", message: framing };
  return isReadable(ctx) ? undefined : { _tag: "PathMalformed" };
};

/**
 * What makes a request ambiguous that Node's parser lets pass, such that a proxy may have read it as another one than we do
 * (RFC 9112, 3.2 and 6.1). Both a length and a transfer coding, and two lengths, the parser refuses.
 */
const framingFault = ({
  headers,
  httpVersion,
  rawHeaders,
}: IncomingMessage): string | undefined => {
  const coding = headers["transfer-encoding"];
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked")
      return "Transfer-Encoding must be chunked, and only that.";
    if (httpVersion === "1.0") return "HTTP/1.0 has no Transfer-Encoding.";
  }
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length === 4 && name.toLowerCase() === "host" && ++hosts > 1) {
      return "The Host header must be given once.";
    }
  }
  return undefined;
};

const isReadable = (ctx: Context): boolean => {
  // Nearly every target is a plain path, and needs no closer look.
  if (/^\/[^%]*$/.test(ctx.req.url ?? "")) return true;
  try {
    // A target such as http://[ has no path that could be read, and http:// has none at all.
    const path: string | null = ctx.path;
    if (path === null) return false;
    // The router would take a path that cannot be decoded as it is, and answer for an account of that
    // name.
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
};

/** What is thrown is a fault of ours: expected failures are values, and answered by the routes. */
const answerThrown =
  (onDefect: ApplicationOptions["onDefect"]) =>
  async (ctx: Context, next: Next): Promise<void> => {
    try {
      await next();
    } catch (error) {
      onDefect(error, failedRequest(ctx));
      sendProblem(ctx, INTERNAL_PROBLEM);
    }
  };

const failedRequest = (ctx: Context): FailedRequest => {
  const span = spanOfRequest(ctx);
  const request = { method: ctx.method, path: ctx.path, request_id: requestIdOf(ctx.req) };
  return span === undefined ? request : { ...request, trace_id: span.traceId };
};

const refuseWhileStarting = (ctx: Context): void => {
  sendProblem(ctx, problemOf({ _tag: "Starting" }));
};

/** Behind the routes: what came through matched none of them, by its path or by its method. */
const answerUnmatched =
  (router: Router) =>
  (ctx: Context): void => {
    const methods = router.match(ctx.path, ctx.method).path.flatMap((layer) => layer.methods);
    if (methods.length === 0) {
      sendProblem(ctx, problemOf({ _tag: "RouteUnknown", path: ctx.path.slice(0, 200) }));
      return;
    }
    const allowed = [...new Set(methods)].toSorted().join(", ");
    ctx.set("Allow", allowed);
    if (ctx.method === "OPTIONS") ctx.status = 204;
    else sendProblem(ctx, problemOf({ _tag: "MethodNotAllowed", method: ctx.method, allowed }));
  };
