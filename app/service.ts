import { Context, Effect, Fiber } from "effect";

import { makeApplication } from "../adapters/koa/application.ts";
import { startServer } from "../adapters/koa/server.ts";
import { startBoss } from "../adapters/pg_boss/boss.ts";
import { makePgBossQueue } from "../adapters/pg_boss/queue.ts";
import { makeEventLog } from "../adapters/postgres/event_log.ts";
import { createPool, databaseOf, executorOf } from "../adapters/postgres/pool.ts";
import { makeProjection } from "../adapters/postgres/projection.ts";
import { makeSummaries } from "../adapters/postgres/summaries.ts";
import { EventRules } from "../core/event/rules.ts";
import { EventLog } from "../core/log/event_log.ts";
import { Projection } from "../core/projection/projection.ts";
import { runProjector } from "../core/projection/projector.ts";
import { Queue } from "../core/queue/queue.ts";
import { runWorker } from "../core/queue/worker.ts";
import { makeSignals, Signals } from "../core/signal.ts";
import { Summaries } from "../core/summary/summaries.ts";
import type { Configuration, Role } from "./configuration.ts";
import { databaseUrl } from "./database_url.ts";
import { listenFailed } from "./listen_failed.ts";
import { checkReadiness, type Phase } from "./readiness.ts";
import { prepareSchema } from "./schema.ts";

/**
 * Runs the service with the roles of its configuration, until interrupted; then ends what it began in
 * the reverse order: no new requests, the worker and the projector finish what they have in hand, the
 * connections and an embedded database close last.
 *
 * @param onListening is told where, once requests can be sent
 */
export const runService = Effect.fnUntraced(function* (
  configuration: Configuration,
  onListening: (url: string) => Effect.Effect<void>,
) {
  const { url, ended } = yield* databaseUrl(configuration);
  const pool = yield* acquirePool(url, configuration);
  const database = databaseOf(pool);

  let phase: Phase = { _tag: "Starting", reason: "connecting to the database" };
  const readiness = () => checkReadiness(phase, database);
  const listen = (services: Parameters<typeof makeApplication>[0]["services"]) =>
    makeApplication({ readiness, services }).callback();
  const server = yield* Effect.tryPromise({
    try: () =>
      startServer({
        host: configuration.HOST,
        port: configuration.PORT,
        listener: listen("starting"),
      }),
    catch: (error) => listenFailed(error, configuration),
  });
  // Should the start fail or be broken off, nobody else closes it.
  yield* Effect.addFinalizer(() => Effect.promise(server.close));

  yield* prepareSchema(url, database, configuration, (reason) => {
    phase = { _tag: "Starting", reason };
    return Effect.logWarning("The service waits").pipe(Effect.annotateLogs({ reason }));
  });

  const signals = makeSignals();
  const boss = yield* acquireBoss(executorOf(pool), configuration.ROLES);
  const services = Context.empty().pipe(
    Context.add(Signals, signals),
    Context.add(
      Queue,
      makePgBossQueue({
        boss,
        queued: signals.queued,
        bufferEventsMax: configuration.ENQUEUE_BUFFER_EVENTS_MAX,
      }),
    ),
    Context.add(EventLog, makeEventLog(database, configuration.SHARDS)),
    Context.add(Projection, makeProjection(database)),
    Context.add(Summaries, makeSummaries(database, configuration.SHARDS)),
    Context.add(EventRules, {
      types: configuration.EVENT_TYPES,
      futureMaxMs: configuration.EVENT_FUTURE_MAX_SECONDS * 1_000,
      ageMaxMs: configuration.EVENT_AGE_MAX_DAYS * 86_400_000,
    }),
  );
  const inBackground = (role: Role, loop: Effect.Effect<never, never, Loops>) =>
    configuration.ROLES.has(role)
      ? Effect.acquireRelease(
          Effect.forkDetach(Effect.provideContext(loop, services)),
          Fiber.interrupt,
        )
      : Effect.void;
  yield* inBackground("projector", runProjector);
  yield* inBackground("worker", runWorker);

  server.use(listen(configuration.ROLES.has("api") ? services : undefined));
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      phase = { _tag: "Stopping" };
      return Effect.promise(server.close);
    }),
  );
  phase = { _tag: "Running", roles: configuration.ROLES };
  yield* onListening(server.url);
  return yield* ended;
}, Effect.scoped);

type Loops = Signals | Queue | EventLog | Projection;

const acquirePool = (url: string, configuration: Configuration) =>
  Effect.gen(function* () {
    const services = yield* Effect.context();
    return yield* Effect.acquireRelease(
      Effect.sync(() =>
        createPool({
          url,
          connectionsMax: configuration.DATABASE_CONNECTIONS_MAX,
          connectTimeoutMs: configuration.DATABASE_CONNECT_TIMEOUT_MS,
          statementTimeoutMs: configuration.DATABASE_STATEMENT_TIMEOUT_MS,
          onIdleError: (error) => {
            Effect.runForkWith(services)(
              Effect.annotateLogs(Effect.logWarning("A database connection broke"), {
                reason: error.message,
              }),
            );
          },
        }),
      ),
      (pool) => Effect.promise(() => pool.end()),
    );
  });

const acquireBoss = (execute: ReturnType<typeof executorOf>, roles: ReadonlySet<Role>) =>
  Effect.gen(function* () {
    const services = yield* Effect.context();
    return yield* Effect.acquireRelease(
      Effect.promise(() =>
        startBoss({
          execute,
          supervise: roles.has("worker"),
          onError: (error) => {
            Effect.runForkWith(services)(
              Effect.annotateLogs(Effect.logWarning("The queue's supervision failed"), {
                reason: error.message,
              }),
            );
          },
        }),
      ),
      (boss) => Effect.promise(() => boss.stop({ graceful: false })),
    );
  });
