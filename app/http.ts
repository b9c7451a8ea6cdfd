import { Cause, Effect, type Scope } from "effect";

import { type ApplicationOptions, makeApplication } from "../adapters/koa/application.ts";
import { startServer } from "../adapters/koa/server.ts";
import type { Configuration } from "./configuration.ts";
import { type ListenFailed, listenFailed } from "./listen_failed.ts";
import { checkReadiness, type Phase } from "./readiness.ts";

/** The HTTP listener, open from the first moment, so that the service can say why it is not ready. */
export interface Http {
  /** Where it listens. */
  readonly url: string;
  /** What readiness tells from now on. */
  readonly enter: (phase: Phase) => void;
  /** What the metrics tell from now on; nothing before. */
  readonly expose: (metrics: Effect.Effect<string>) => void;
  /** Opens the routes of the API, or leaves them out for good. */
  readonly serve: (services: ApplicationOptions["services"]) => void;
  /** Accepts no more, and returns when what is under way was answered. Also done when the scope closes. */
  readonly close: Effect.Effect<void>;
}

/** Opens the listener; the API answers that the service is starting. */
export const openHttp = (
  configuration: Configuration,
): Effect.Effect<Http, ListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const log = Effect.runForkWith(yield* Effect.context());
    let phase: Phase = { _tag: "Starting", reason: "preparing the database" };
    let metrics: Effect.Effect<string> = Effect.succeed("");

    const listenerOf = (services: ApplicationOptions["services"]) =>
      makeApplication({
        services,
        limits: {
          answerTimeoutMs: configuration.REQUEST_TIMEOUT_MS,
          bodiesBytesMax: configuration.BODIES_BYTES_MAX,
        },
        readiness: () => checkReadiness(phase),
        metrics: () => Effect.runPromise(metrics),
        onDefect: (defect, request) => {
          log(Effect.annotateLogs(Effect.logError("A request failed", Cause.die(defect)), request));
        },
      }).callback();

    const { HOST, PORT, CONNECTIONS_MAX, SHUTDOWN_TIMEOUT_MS } = configuration;
    const server = yield* Effect.tryPromise({
      try: () =>
        startServer({
          host: HOST,
          port: PORT,
          listener: listenerOf("starting"),
          connectionsMax: CONNECTIONS_MAX,
        }),
      catch: (error) => listenFailed(error, configuration),
    });
    // Half of the time that a shutdown has: the rest is for the loops and the database behind.
    const close = Effect.promise(() => server.close(SHUTDOWN_TIMEOUT_MS / 2));
    yield* Effect.addFinalizer(() => close);
    return {
      url: server.url,
      enter: (next) => {
        phase = next;
      },
      expose: (next) => {
        metrics = next;
      },
      serve: (services) => {
        server.use(listenerOf(services));
      },
      close,
    };
  });
