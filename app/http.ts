import { Cause, Context, Data, Effect, Layer, Ref } from "effect";

import type { SharedCounters } from "../adapters/koa/access/rate_limit.ts";
import { type ApplicationOptions, makeApplication } from "../adapters/koa/application.ts";
import { makeBodies } from "../adapters/koa/request/bodies.ts";
import { type RequestListener, startServer } from "../adapters/koa/server/server.ts";
import type { OnResponse } from "../adapters/koa/telemetry/observe.ts";
import type { Access } from "../core/access/access.ts";
import { messageOf } from "../core/printable.ts";
import type { Configuration } from "./configuration.ts";
import { Meters, type Observe } from "./metrics/meters.ts";
import { watchProcess } from "./metrics/process.ts";
import { makeMetrics } from "./metrics/scrape.ts";
import { CurrentPhase } from "./phase.ts";
import { checkReadiness, singleFlight } from "./readiness.ts";
import { Tracing } from "./tracing/tracing.ts";

/**
 * The HTTP listener. It opens before anything else, answers health, readiness and metrics from then
 * on, and every other request as the current phase says.
 */
export class Http extends Context.Service<
  Http,
  {
    readonly url: string;
    /** Makes the listener of an application. */
    readonly listenerOf: (api: Api) => RequestListener;
    /** From now on each answer closes its connection. */
    readonly drain: Effect.Effect<void>;
    /** Accepts no more connections, and returns when the requests in flight are answered. */
    readonly close: Effect.Effect<void>;
  }
>()("tidemark/Http") {}

/** What the listener of an application runs on. */
export interface Api {
  /** Undefined in a process without the api role. */
  readonly services: ApplicationOptions["services"];
  readonly access?: Access["Service"] | undefined;
  /** Where processes count requests together, if they do. */
  readonly shared?: SharedCounters | undefined;
}

/** The HTTP listener could not be opened. */
export class ListenFailed extends Data.TaggedError("ListenFailed")<{
  readonly message: string;
}> {}

/** The most requests a minute from an address without a key, unless configured. */
const RATE_LIMIT_ANONYMOUS_DEFAULT = 500;

/**
 * The longest time that idle connections stay open once a stopping service accepts no more: longer
 * than a request takes from a proxy that has just learned of it.
 */
const IDLE_GRACE_MS = 1_000;

/** Opens the listener, and closes it with the scope. */
export const httpLayer = (
  configuration: Configuration,
): Layer.Layer<Http, ListenFailed, CurrentPhase | Meters | Tracing> =>
  Layer.effect(
    Http,
    Effect.gen(function* () {
      const context = yield* Effect.context();
      const run = Effect.runForkWith(context);
      const phase = yield* CurrentPhase;
      const meters = yield* Meters;
      const tracing = yield* Tracing;
      const process = yield* watchProcess(meters);

      const measure = measureResponses(meters);
      // At the level debug, each request has a line.
      const onResponse: OnResponse =
        configuration.LOG_LEVEL === "debug"
          ? (response) => {
              measure(response);
              run(Effect.annotateLogs(Effect.logDebug("Request answered"), { ...response }));
            }
          : measure;

      const refusedBodies = meters.counter(
        "tidemark_http_bodies_refused_total",
        "Request bodies refused for lack of memory, by bound: the client's share, or the whole budget.",
      );
      const refusedBody = {
        share: refusedBodies({ bound: "share" }),
        full: refusedBodies({ bound: "full" }),
      };
      const refusals = meters.counter(
        "tidemark_http_refused_total",
        "Connections and malformed requests refused before routing, by reason or status.",
      );
      const refused = (reason: number | string): void => refusals({ reason: String(reason) })();
      const bodies = makeBodies({
        bytesMax: configuration.BODIES_BYTES_MAX,
        proxies: configuration.TRUST_PROXY,
        onRefused: (bound) => refusedBody[bound](),
        onFragmented: () => refused("fragments"),
      });

      const onTurn = meters.histogram(
        "tidemark_http_body_wait_seconds",
        "Time a request body waited to be decoded, without the decoding.",
      )();

      const metrics = Effect.suspend(() => {
        const now = Ref.getUnsafe(phase);
        return makeMetrics({
          meters,
          process,
          roles: configuration.ROLES,
          connections: server.connections,
          bodiesHeld: bodies.held,
          stations: now._tag === "Starting" ? undefined : now.application.sources,
        });
      });
      // Scrapes at the same time share one read of the database.
      const scrape = singleFlight(0, () => Effect.runPromiseWith(context)(metrics));

      const listenerOf = ({ services, access, shared }: Api): RequestListener =>
        makeApplication({
          services,
          context,
          access,
          limits: { answerTimeoutMs: configuration.REQUEST_TIMEOUT_MS },
          bodies,
          rateLimit: {
            anonymousPerMinute: configuration.RATE_LIMIT_ANONYMOUS ?? RATE_LIMIT_ANONYMOUS_DEFAULT,
            // Behind proxies the address comes from a header: any client can claim to be on this
            // machine.
            limitLoopback:
              configuration.RATE_LIMIT_ANONYMOUS !== undefined || configuration.TRUST_PROXY > 0,
            shared,
          },
          proxies: configuration.TRUST_PROXY,
          allowedHosts: configuration.ALLOWED_HOSTS ?? new Set(),
          corsOrigins: configuration.CORS_ORIGINS ?? new Set(),
          readiness: () => checkReadiness(Ref.getUnsafe(phase)),
          metrics: scrape,
          onDefect: (defect, request) => {
            const line = Effect.logError("A request failed", Cause.die(defect));
            run(Effect.annotateLogs(line, { ...request }));
          },
          onResponse,
          onTurn,
          tracing,
        }).callback();

      const starting = listenerOf({ services: "starting" });
      const server = yield* Effect.tryPromise({
        try: () =>
          startServer({
            host: configuration.HOST,
            port: configuration.PORT,
            listener: (request, response) => {
              const now = Ref.getUnsafe(phase);
              const listener = now._tag === "Starting" ? starting : now.application.listener;
              return listener(request, response);
            },
            onArrival: bodies.receive,
            connectionsMax: configuration.CONNECTIONS_MAX,
            isFairByAddress: configuration.TRUST_PROXY === 0,
            onRefused: refused,
          }),
        catch: (error) => listenFailed(error, configuration),
      });
      const { SHUTDOWN_DELAY_MS, SHUTDOWN_TIMEOUT_MS } = configuration;
      // A service that gives no time to notice its end keeps no idle connections either.
      const idleMs = Math.min(SHUTDOWN_DELAY_MS, IDLE_GRACE_MS);
      // Half of the time for a shutdown. The rest is for the loops and the database.
      const close = Effect.promise(() => server.close(SHUTDOWN_TIMEOUT_MS / 2, idleMs));
      yield* Effect.addFinalizer(() => close);
      return { url: server.url, listenerOf, drain: Effect.sync(server.drain), close };
    }),
  );

/** Measures requests by route, method and status, with one look-up each. */
const measureResponses = (meters: Meters["Service"]): OnResponse => {
  const durations = meters.histogram(
    "tidemark_http_request_duration_seconds",
    "Time from a request's headers to the end of its response, by route, method and status. Status 499: the client disconnected.",
  );
  const problems = meters.counter(
    "tidemark_http_problems_total",
    "Requests answered with a problem document, by problem.",
  );
  const series = new Map<string, Observe>();
  return ({ route, method, status, seconds, problem }) => {
    const key = `${method} ${route} ${status}`;
    let observe = series.get(key);
    if (observe === undefined) {
      observe = durations({ route, method, status: String(status) });
      series.set(key, observe);
    }
    observe(seconds);
    if (problem !== undefined) problems({ problem, status: String(status) })();
  };
};

/** Says why listening failed, by the settings that mend it. */
export const listenFailed = (
  error: unknown,
  { HOST, PORT }: Pick<Configuration, "HOST" | "PORT">,
): ListenFailed => {
  const where = `${HOST} port ${PORT}`;
  const noAddress = `HOST=${HOST} is not an address of this machine.`;
  const reasons: Readonly<Record<string, string | undefined>> = {
    EADDRINUSE: `Another process listens on ${where}. Stop it, or set PORT to another port (PORT=0 picks a free one).`,
    EADDRNOTAVAIL: noAddress,
    ENOTFOUND: noAddress,
    EACCES: `Not allowed to listen on ${where}. Set PORT above 1023.`,
  };
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return new ListenFailed({
    message: reasons[code] ?? `Cannot listen on ${where}: ${messageOf(error)}`,
  });
};
