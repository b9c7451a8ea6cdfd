import { Cause, Effect, type Scope } from "effect";

import type { SharedCounters } from "../adapters/koa/access/rate_limit.ts";
import { type ApplicationOptions, makeApplication } from "../adapters/koa/application.ts";
import { makeBodies } from "../adapters/koa/request/bodies.ts";
import { startServer } from "../adapters/koa/server/server.ts";
import type { ResponseRecord } from "../adapters/koa/telemetry/observe.ts";
import type { RequestTracing } from "../adapters/koa/telemetry/trace_requests.ts";
import type { Access } from "../core/access/access.ts";
import type { Configuration } from "./configuration.ts";
import { kept } from "./kept.ts";
import { type ListenFailed, listenFailed } from "./listen_failed.ts";
import { BODIES_REFUSED, HTTP_REFUSED, TURN_WAIT } from "./metrics/families.ts";
import type { Meters } from "./metrics/meters.ts";
import { measureRequests } from "./metrics/requests.ts";
import { checkReadiness, type Phase } from "./readiness.ts";

/** The HTTP listener, open from the first moment, so that the service can say why it is not ready. */
export interface Http {
  /** Where it listens. */
  readonly url: string;
  /** How many clients are connected. */
  readonly connections: () => number;
  /** How many bytes of memory request bodies hold. */
  readonly bodiesHeld: () => number;
  /** What readiness tells from now on. A service that is stopping closes each connection with its next answer. */
  readonly enter: (phase: Phase) => void;
  /** What the metrics tell from now on. */
  readonly expose: (metrics: Effect.Effect<string>) => void;
  /** Opens the routes of the API, or leaves them out for good. */
  readonly serve: (services: ApplicationOptions["services"], entrance?: Entrance) => void;
  /** Accepts no more, and returns when what is under way was answered. Also done when the scope closes. */
  readonly close: Effect.Effect<void>;
}

/** What every request has to pass. */
export interface Entrance {
  readonly access: Access["Service"];
  /** Where processes count requests together, if they do. */
  readonly shared: SharedCounters | undefined;
}

/** The most requests a minute from an address without a key, unless set. */
const RATE_LIMIT_ANONYMOUS_DEFAULT = 500;

/**
 * How long idle connections stay open after a stopping service accepts no more, at most: longer than a request takes from a proxy
 * that has just heard of it.
 */
const IDLE_GRACE_MS = 1_000;

/** Opens the listener; the API answers that the service is starting. */
export const openHttp = (
  configuration: Configuration,
  meters: Meters,
  tracing?: RequestTracing,
): Effect.Effect<Http, ListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Effect.context();
    const log = Effect.runForkWith(context);
    let phase: Phase = { _tag: "Starting", reason: "preparing the database" };
    let metrics = async (): Promise<string> => "";
    const measure = measureRequests(meters);
    // A line for each request is for who looks into something.
    const onResponse =
      configuration.LOG_LEVEL === "debug"
        ? (answered: ResponseRecord) => {
            measure(answered);
            log(Effect.annotateLogs(Effect.logDebug("A request is over"), { ...answered }));
          }
        : measure;

    const noMemory = {
      share: meters.counter(BODIES_REFUSED, { bound: "share" }),
      full: meters.counter(BODIES_REFUSED, { bound: "full" }),
    };
    const bodies = makeBodies({
      bytesMax: configuration.BODIES_BYTES_MAX,
      proxies: configuration.TRUST_PROXY,
      onRefused: (bound) => {
        noMemory[bound]();
      },
      onFragmented: () => {
        meters.counter(HTTP_REFUSED, { reason: "fragments" })();
      },
    });

    const listenerOf = (services: ApplicationOptions["services"], entrance?: Entrance) =>
      makeApplication({
        services,
        context,
        access: entrance?.access,
        limits: { answerTimeoutMs: configuration.REQUEST_TIMEOUT_MS },
        bodies,
        rateLimit: {
          anonymousPerMinute: configuration.RATE_LIMIT_ANONYMOUS ?? RATE_LIMIT_ANONYMOUS_DEFAULT,
          // Behind proxies an address is what they were told: anybody can say to be of this machine.
          limitLoopback:
            configuration.RATE_LIMIT_ANONYMOUS !== undefined || configuration.TRUST_PROXY > 0,
          shared: entrance?.shared,
        },
        proxies: configuration.TRUST_PROXY,
        allowedHosts: configuration.ALLOWED_HOSTS ?? new Set(),
        corsOrigins: configuration.CORS_ORIGINS ?? new Set(),
        readiness: () => checkReadiness(phase),
        metrics: () => metrics(),
        onDefect: (defect, request) => {
          const failed = Effect.logError("A request failed", Cause.die(defect));
          log(Effect.annotateLogs(failed, { ...request }));
        },
        onResponse,
        onTurn: meters.histogram(TURN_WAIT),
        tracing,
      }).listener;

    const { HOST, PORT, CONNECTIONS_MAX, SHUTDOWN_DELAY_MS, SHUTDOWN_TIMEOUT_MS } = configuration;
    const server = yield* Effect.tryPromise({
      try: () =>
        startServer({
          host: HOST,
          port: PORT,
          listener: listenerOf("starting"),
          onArrival: bodies.receive,
          connectionsMax: CONNECTIONS_MAX,
          isFairByAddress: configuration.TRUST_PROXY === 0,
          onRefused: (reason) => {
            meters.counter(HTTP_REFUSED, { reason: String(reason) })();
          },
        }),
      catch: (error) => listenFailed(error, configuration),
    });
    // Half of the time that a shutdown has: the rest is for the loops and the database behind.
    // A service that gives nobody time to notice keeps no idle connection open either.
    const idleMs = Math.min(SHUTDOWN_DELAY_MS, IDLE_GRACE_MS);
    const close = Effect.promise(() => server.close(SHUTDOWN_TIMEOUT_MS / 2, idleMs));
    yield* Effect.addFinalizer(() => close);
    return {
      url: server.url,
      connections: server.connections,
      bodiesHeld: bodies.held,
      enter: (next) => {
        phase = next;
        if (next._tag === "Stopping") server.drain();
      },
      expose: (next) => {
        // Scrapes that come together are one look at the database.
        metrics = kept(0, () => Effect.runPromise(next));
      },
      serve: (services, entrance) => {
        server.use(listenerOf(services, entrance));
      },
      close,
    };
  });
