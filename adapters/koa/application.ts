import type Router from "@koa/router";
import { Context as Services, Effect } from "effect";
import Koa, { type Context, type Middleware } from "koa";

import type { Access } from "../../core/access/access.ts";
import { EventRules } from "../../core/event/rules.ts";
import { invariant } from "../../core/invariant.ts";
import { SummaryCache } from "../../core/query/summary_cache.ts";
import { Turns } from "../../core/turns.ts";
import { makeCors } from "./access/cors.ts";
import { makeGate, openGate } from "./access/gate.ts";
import { makeRateLimit, type RateLimitOptions } from "./access/rate_limit.ts";
import { openApiDocument } from "./openapi/document.ts";
import type { Bodies } from "./request/bodies.ts";
import { refuseMalformed } from "./request/malformed.ts";
import { makeTurns } from "./request/turns.ts";
import { INTERNAL_PROBLEM, problemOf } from "./response/problem.ts";
import { sendProblem, sendReply } from "./response/reply.ts";
import { makeRespond } from "./response/respond.ts";
import { makeRouter, PUBLIC_PATHS } from "./routes/all.ts";
import { answerCached } from "./routes/get_summary.ts";
import type { ApiParts, ApiServices, ProcessParts } from "./routes/route.ts";
import { observeRequests, type OnResponse } from "./telemetry/observe.ts";
import { requestIdOf } from "./telemetry/request_id.ts";
import { type RequestTracing, spanOfRequest, traceRequests } from "./telemetry/trace_requests.ts";

export interface ApplicationOptions extends ProcessParts {
  /**
   * The services of the API. "starting" answers its routes with 503; undefined leaves them out, in
   * a process without the api role.
   */
  readonly services: Services.Context<ApiServices> | "starting" | undefined;
  /** The context that effects run in, with the loggers and the tracer of the service. */
  readonly context: Services.Context<never>;
  /** Authenticates requests; undefined while the service is starting. */
  readonly access: Access["Service"] | undefined;
  readonly limits: RouteLimits;
  /** Receives request bodies; the server must call its `receive` for each request. */
  readonly bodies: Bodies;
  readonly rateLimit: RateLimitOptions;
  /** How many proxies in front of the service append to X-Forwarded-For. */
  readonly proxies: number;
  /** Lower-case names that the service accepts in Host besides localhost while no key exists. */
  readonly allowedHosts: ReadonlySet<string>;
  /** Origins whose pages may call the service from a browser. */
  readonly corsOrigins: ReadonlySet<string>;
  /** Called for every request that failed by a defect of the service. */
  readonly onDefect: (defect: unknown, request: FailedRequest) => void;
  readonly onResponse: OnResponse;
  /** Called with how long each body waited for its turns to be decoded, in seconds. */
  readonly onTurn?: (waitedSeconds: number) => void;
  /** Undefined if requests are not traced. */
  readonly tracing?: RequestTracing | undefined;
}

export interface RouteLimits {
  /** How long an answer may take, in milliseconds. */
  readonly answerTimeoutMs: number;
}

export interface FailedRequest {
  readonly method: string;
  readonly path: string;
  /** The `X-Request-Id` of the response. */
  readonly request_id: string;
  readonly trace_id?: string;
}

/** The HTTP interface of the service: every request passes the same middleware. */
export const makeApplication = (options: ApplicationOptions): Koa => {
  const { services, proxies, corsOrigins, tracing, onDefect } = options;
  const api = typeof services === "object" ? apiParts(services, options) : undefined;
  const router = makeRouter(options, api);
  const koa = new LeanKoa(onDefect, proxies);
  koa.use(observeRequests(options.onResponse, router));
  koa.use(refuseMalformed);
  // Before the gate: a browser's preflight request has no key.
  if (corsOrigins.size > 0) koa.use(makeCors(corsOrigins));
  if (tracing !== undefined) koa.use(traceRequests(tracing, router));
  koa.use(gateOf(options));
  if (api !== undefined) koa.use(answerCached(Services.get(api.services, SummaryCache)));
  koa.use(router.routes());
  koa.use(services === "starting" ? refuseWhileStarting : answerUnmatched(router));
  return koa;
};

/** The most bodies that wait to be decoded, of one client and of all. */
const BODIES_WAITING_PER_CLIENT_MAX = 1_024;
const BODIES_WAITING_MAX = 8_192;

/** The share of the time for an answer that a body may wait. */
const WAIT_SHARE = 0.5;

const apiParts = (
  services: Services.Context<ApiServices>,
  { limits: { answerTimeoutMs }, bodies, context, onTurn }: ApplicationOptions,
): ApiParts => {
  const turns = makeTurns({
    limits: {
      waitingPerClientMax: BODIES_WAITING_PER_CLIENT_MAX,
      waitingMax: BODIES_WAITING_MAX,
      waitMaxMs: answerTimeoutMs * WAIT_SHARE,
    },
    ...(onTurn && { onWaited: onTurn }),
  });
  const all = Services.add(Services.merge(context, services), Turns, turns);
  return {
    services,
    respond: makeRespond(all, answerTimeoutMs),
    bodies,
    document: openApiDocument(Services.get(services, EventRules)),
  };
};

const gateOf = (options: ApplicationOptions): Middleware => {
  const { access, allowedHosts, context } = options;
  if (access === undefined) return openGate;
  return makeGate({
    access,
    rateLimit: makeRateLimit(options.rateLimit),
    publicPaths: PUBLIC_PATHS,
    isBehindProxies: options.proxies > 0,
    allowedHosts,
    run: Effect.runPromiseWith(context),
  });
};

/**
 * Koa without its own writing of responses, which `reply.ts` does, and its watch on their end,
 * which `observe.ts` does: together they cost a twelfth of a cached summary.
 */
class LeanKoa extends Koa {
  readonly #onDefect: ApplicationOptions["onDefect"];

  constructor(onDefect: ApplicationOptions["onDefect"], proxies: number) {
    super({ proxy: proxies > 0, maxIpsCount: proxies });
    this.#onDefect = onDefect;
  }

  /** Where koa runs the middleware. It overrides koa's own, which its types do not mention. */
  async handleRequest(ctx: Context, run: (ctx: Context) => Promise<void>): Promise<void> {
    try {
      await run(ctx);
      const { headersSent, destroyed } = ctx.res;
      invariant(headersSent || destroyed, "every request is answered by a middleware");
    } catch (defect) {
      this.#answerDefect(defect, ctx);
    }
  }

  /** Expected failures are values that routes answer, so whatever is thrown is a defect. */
  #answerDefect(defect: unknown, ctx: Context): void {
    this.#onDefect(defect, failedRequest(ctx));
    if (!ctx.res.headersSent) sendProblem(ctx, INTERNAL_PROBLEM);
  }
}

const failedRequest = (ctx: Context): FailedRequest => {
  const span = spanOfRequest(ctx);
  const request = { method: ctx.method, path: ctx.path, request_id: requestIdOf(ctx.req) };
  return span === undefined ? request : { ...request, trace_id: span.traceId };
};

const refuseWhileStarting: Middleware = (ctx) => {
  sendProblem(ctx, problemOf({ _tag: "Starting" }));
};

/** Answers what matches no route, by its path or by its method. */
const answerUnmatched =
  (router: Router): Middleware =>
  (ctx) => {
    const methods = router.match(ctx.path, ctx.method).path.flatMap((layer) => layer.methods);
    if (methods.length === 0) {
      sendProblem(ctx, problemOf({ _tag: "RouteUnknown", path: ctx.path.slice(0, 200) }));
      return undefined;
    }
    const allowed = [...new Set(methods)].toSorted().join(", ");
    if (ctx.method === "OPTIONS")
      return sendReply(ctx, { status: 204, headers: { Allow: allowed } });
    ctx.set("Allow", allowed);
    return sendProblem(ctx, problemOf({ _tag: "MethodNotAllowed", method: ctx.method, allowed }));
  };
