import { Context, Effect, Fiber } from "effect";

import type { RequestTracing } from "../adapters/koa/telemetry/trace_requests.ts";
import { startBoss } from "../adapters/pg_boss/boss.ts";
import { makeDeadLetters } from "../adapters/pg_boss/dead_letters.ts";
import { makePgBossQueue } from "../adapters/pg_boss/queue.ts";
import { makeAccountEvents } from "../adapters/postgres/account_events.ts";
import { makeActivity } from "../adapters/postgres/activity.ts";
import { diagnose } from "../adapters/postgres/errors.ts";
import { makeEventLog } from "../adapters/postgres/event_log.ts";
import {
  createPool,
  databaseOf,
  executorOf,
  type PoolOptions,
  READ_SESSION,
} from "../adapters/postgres/pool.ts";
import { makeProjection } from "../adapters/postgres/projection.ts";
import { makeRetrying } from "../adapters/postgres/retry.ts";
import { makeSummaries } from "../adapters/postgres/summaries.ts";
import { makeTimelines } from "../adapters/postgres/timelines.ts";
import { Admission, makeAdmission } from "../core/command/admission.ts";
import { makeCapacity } from "../core/command/capacity.ts";
import { sampleBacklog, sampleBacklogForever } from "../core/command/sample_backlog.ts";
import { EventRules } from "../core/event/rules.ts";
import { makeClientSemaphore } from "../core/fair/client_semaphore.ts";
import { AccountEvents } from "../core/log/account_events.ts";
import { EventLog } from "../core/log/event_log.ts";
import { Invalidations } from "../core/projection/invalidations.ts";
import { Projection } from "../core/projection/projection.ts";
import { runProjector } from "../core/projection/projector.ts";
import { SummaryCache } from "../core/query/summary_cache.ts";
import { DeadLetters } from "../core/queue/dead_letters.ts";
import { Queue } from "../core/queue/queue.ts";
import { runWorker } from "../core/queue/worker.ts";
import { FaultObserver } from "../core/report_faults.ts";
import { makeSignals, Signals } from "../core/signal.ts";
import { Activity } from "../core/summary/activity.ts";
import { Summaries } from "../core/summary/summaries.ts";
import { withClient } from "../db/client.ts";
import { openShared, openSummaryCache } from "./cache.ts";
import type { Configuration, Role } from "./configuration.ts";
import { allowedConnections, shareConnections } from "./connections.ts";
import { makeDatabaseFaults } from "./database_faults.ts";
import { databaseUrl } from "./database_url.ts";
import { fairDeadLetters, fairQueue, fairReads, readLimits } from "./fair_reads.ts";
import { type Faults, makeFaults, reasonsOf } from "./faults.ts";
import { type Http, openHttp } from "./http.ts";
import { DATABASE_RETRIES, LOAD_READ_FAILURES } from "./metrics/families.ts";
import { makeMeters } from "./metrics/meters.ts";
import { watchProcess } from "./metrics/process.ts";
import { makeMetrics, type MetricSources } from "./metrics/scrape.ts";
import { observed, type Ports } from "./observed.ts";
import { openAccess, openQuotas } from "./open_access.ts";
import type { QuickStart } from "./quick_start.ts";
import { reachabilityOf } from "./readiness.ts";
import { prepareSchema, untilDatabaseReady } from "./schema.ts";
import { watchSupervision } from "./supervision.ts";
import { openTracing, tracingContext } from "./tracing/open_tracing.ts";

/**
 * Runs the service with the roles of its configuration, until interrupted; then ends what it began in
 * the reverse order: no new requests, the worker and the projector finish what they have in hand, the
 * connections and an embedded database close last.
 *
 * @param onListening is told where, and whether requests need an API key, once they can be sent
 * @errors `ListenFailed`, `EmbeddedDatabaseFailed`, `DatabaseUnusable`
 */
export const runService = Effect.fnUntraced(function* (
  configuration: Configuration,
  onListening: (listening: Pick<QuickStart, "url" | "needsKey">) => Effect.Effect<void>,
) {
  const meters = makeMeters();
  // Before all else, so that it is closed behind all else.
  const tracing = yield* openTracing(configuration);
  const http = yield* openHttp(configuration, meters, tracing);
  const sources: MetricSources = {
    meters,
    process: yield* watchProcess(meters),
    roles: configuration.ROLES,
    connections: http.connections,
    bodiesHeld: http.bodiesHeld,
  };
  http.expose(makeMetrics(sources));
  const { url, ended } = yield* databaseUrl(configuration);
  const faults = makeFaults(meters);
  const started = start(configuration, url, http, { sources, tracing, faults });
  const served = Effect.flatMap(
    Effect.provideService(started, FaultObserver, faults.observe),
    ({ loops, needsKey }) => Effect.andThen(onListening({ url: http.url, needsKey }), loops),
  );
  return yield* Effect.raceFirst(served, ended);
}, Effect.scoped);

interface Observation {
  readonly sources: MetricSources;
  /** Undefined when nothing is traced. */
  readonly tracing: RequestTracing | undefined;
  readonly faults: Faults;
}

/**
 * Starts everything on the database, and returns the effect that runs for as long as the roles do, and whether requests
 * need a key.
 */
const start = Effect.fnUntraced(function* (
  configuration: Configuration,
  url: string,
  http: Http,
  { sources, tracing, faults }: Observation,
) {
  const { ROLES, SHARDS } = configuration;
  const { meters } = sources;
  const told = new Set<string>();
  const onWait = (reason: string): Effect.Effect<void> => {
    http.enter({ _tag: "Starting", reason });
    if (told.has(reason)) return Effect.void;
    told.add(reason);
    return Effect.annotateLogs(Effect.logWarning("The service waits"), { reason });
  };
  const connections = yield* untilDatabaseReady(
    attempt(() =>
      withClient(url, (client) =>
        allowedConnections(databaseOf(client), configuration.DATABASE_CONNECTIONS_MAX),
      ),
    ),
    onWait,
  );
  if (connections < configuration.DATABASE_CONNECTIONS_MAX) {
    yield* Effect.annotateLogs(
      Effect.logWarning("The database allows fewer connections than DATABASE_CONNECTIONS_MAX"),
      { connections },
    );
  }
  // Pools apart, so that what is slow takes no connection that something else needs.
  const shares = shareConnections(connections, ROLES);
  const statementTimeoutMs = configuration.DATABASE_STATEMENT_TIMEOUT_MS;
  const timelines = makeTimelines();
  const controlPool = yield* acquirePool(url, configuration, {
    timelines,
    lifetimeMs: CONTROL_LIFETIME_MS,
    connectionsMax: shares.control,
    statementTimeoutMs: CONTROL_TIMEOUT_MS,
    session: READ_SESSION,
  });
  const ofPool = { timelines, statementTimeoutMs, control: controlPool };
  const queuePool = yield* acquirePool(url, configuration, {
    ...ofPool,
    connectionsMax: shares.queue,
  });
  const logPool = yield* acquirePool(url, configuration, {
    ...ofPool,
    connectionsMax: shares.log,
  });
  const readPool = yield* acquirePool(url, configuration, {
    ...ofPool,
    connectionsMax: shares.read,
    // Nobody waits any longer for what it reads.
    statementTimeoutMs: configuration.REQUEST_TIMEOUT_MS,
    session: READ_SESSION,
  });
  const ofBuild = { ...ofPool, connectionsMax: shares.build };
  const retried = meters.counter(DATABASE_RETRIES);
  const retrying = makeRetrying({ onRetry: () => retried() });
  const database = databaseOf(logPool, retrying);
  const control = databaseOf(controlPool, retrying);
  const reads = databaseOf(readPool, retrying);
  const prepared = attempt(() => prepareSchema(url, database, configuration));
  const excess = yield* untilDatabaseReady(prepared, onWait);
  if (excess.length > 0) {
    yield* Effect.annotateLogs(
      Effect.logWarning("The role in DATABASE_URL may do more than a service needs"),
      { rights: excess.join("; ") },
    );
  }
  const tell = Effect.runForkWith(yield* Effect.context());
  const databaseFaults = makeDatabaseFaults({ meters, log: (line) => void tell(line) });
  const boss = yield* untilDatabaseReady(
    acquireBoss(executorOf(queuePool, retrying), ROLES),
    onWait,
  );

  const shared = yield* untilDatabaseReady(openShared(configuration, control, meters), onWait);

  const access = yield* untilDatabaseReady(
    openAccess(configuration, control, databaseFaults),
    onWait,
  );
  const quotas = yield* untilDatabaseReady(
    openQuotas(configuration, control, shared, databaseFaults),
    onWait,
  );

  const capacity = makeCapacity({
    queuedMax: configuration.QUEUE_DEPTH_MAX,
    laggingMax: configuration.LAG_EVENTS_MAX,
  });
  const signals = makeSignals();
  const traced = tracing === undefined ? Context.empty() : tracingContext(tracing);
  const ports: Ports = {
    queue: databaseFaults.watched(
      "queue",
      makePgBossQueue({
        boss,
        diagnose,
        execute: executorOf(queuePool, retrying),
        history: timelines.history,
        executeIn: (history) => executorOf(queuePool, retrying, history),
        executeRead: executorOf(readPool, retrying),
        executeControl: executorOf(controlPool, retrying),
        queued: signals.queued,
        bufferBytesMax: configuration.ENQUEUE_BUFFER_BYTES_MAX,
      }),
    ),
    log: databaseFaults.watched("log", makeEventLog(database, SHARDS, control)),
    projection: databaseFaults.watched(
      "projection",
      makeProjection(database, {
        control,
        ...(ROLES.has("projector")
          ? { patient: yield* patiently(url, configuration, ofBuild) }
          : {}),
      }),
    ),
    reads: {
      summaries: databaseFaults.watched("summaries", makeSummaries(reads, SHARDS)),
      activity: databaseFaults.watched("activity", makeActivity(reads, SHARDS)),
      accountEvents: databaseFaults.watched("account_events", makeAccountEvents(reads, SHARDS)),
    },
  };
  const readSemaphore = makeClientSemaphore(readLimits(shares.read));
  const observers = { meters, tracing: tracing !== undefined };
  const { queue, log, projection, reads: measured } = observed(ports, observers);
  const queries = fairReads(measured, readSemaphore);
  const deadLetters = databaseFaults.watched(
    "dead_letters",
    makeDeadLetters(
      boss,
      executorOf(queuePool, retrying),
      diagnose,
      executorOf(readPool, retrying),
    ),
  );
  // On top of what runs this, so that a request's logs go where the service's do.
  const stations = Context.merge(yield* Effect.context(), traced).pipe(
    Context.add(Signals, signals),
    Context.add(Queue, fairQueue(queue, readSemaphore)),
    Context.add(DeadLetters, fairDeadLetters(deadLetters, readSemaphore)),
    Context.add(Admission, makeAdmission({ capacity, quotas })),
    Context.add(EventLog, log),
    Context.add(AccountEvents, queries.accountEvents),
    Context.add(Activity, queries.activity),
    Context.add(Projection, projection),
    Context.add(Invalidations, shared.invalidations),
    Context.add(Summaries, queries.summaries),
    Context.add(EventRules, {
      types: configuration.EVENT_TYPES,
      futureMaxMs: configuration.EVENT_FUTURE_MAX_SECONDS * 1_000,
      ageMaxMs: configuration.EVENT_AGE_MAX_DAYS * 86_400_000,
    }),
  );
  const cache = ROLES.has("api")
    ? yield* Effect.provideContext(openSummaryCache(configuration, shared), stations)
    : undefined;
  const services = cache && Context.add(stations, SummaryCache, cache);
  /** Starts a loop; what it returns fails when the loop ends, which only a defect can do. */
  const inBackground = (role: Role, loop: Effect.Effect<never, never, Loops>) =>
    ROLES.has(role)
      ? Effect.acquireRelease(
          Effect.forkDetach(Effect.provideContext(loop, stations)),
          Fiber.interrupt,
        ).pipe(Effect.map(Fiber.join))
      : Effect.succeed(Effect.never);
  const projector = yield* inBackground("projector", runProjector);
  const worker = yield* inBackground("worker", runWorker);
  // Nothing is accepted until it is known how much waits: it should be known when the first request comes. Where it
  // cannot be read, what else the service does goes on.
  if (ROLES.has("api")) {
    yield* Effect.ignore(Effect.provideContext(sampleBacklog(capacity), stations));
  }
  const readFailed = meters.counter(LOAD_READ_FAILURES);
  const watch = yield* inBackground("api", sampleBacklogForever(capacity, readFailed));

  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      http.enter({ _tag: "Stopping" });
      yield* Effect.sleep(configuration.SHUTDOWN_DELAY_MS);
      yield* http.close;
    }),
  );
  http.serve(services, { access, shared: shared.counters });
  const { redis } = shared;
  const pools = { control: controlPool, queue: queuePool, log: logPool, read: readPool };
  const readsWaiting = ROLES.has("api") ? readSemaphore.waiting : undefined;
  http.expose(makeMetrics({ ...sources, cache, redis, readsWaiting, pools, projection, queue }));
  const reachable = reachabilityOf(databaseOf(controlPool), {
    pools: { queue: queuePool, log: logPool, reads: readPool },
    faults: databaseFaults.ongoing,
  });
  const failing = reasonsOf(faults, ROLES.has("api") ? capacity : undefined);
  http.enter({ _tag: "Running", roles: ROLES, reachable, redis, faults: failing });
  const isOpen = yield* Effect.isSuccess(access.authenticate(undefined));
  return { loops: Effect.raceAllFirst([projector, worker, watch]), needsKey: !isOpen };
});

type Loops = Signals | Queue | EventLog | Projection | Invalidations;

const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({ try: run, catch: (error) => error });

/** How long a statement of the control pool may take: all of them are look-ups of a few rows, or sums of what waits. */
const CONTROL_TIMEOUT_MS = 1_500;

/** Something is always asked on the control pool: so long it takes at most until a failover is known. */
const CONTROL_LIFETIME_MS = [4_000, 6_000] as const;

/** How long it may take to build what summaries of the largest accounts need. */
const PATIENCE_MS = 600_000;

const patiently = (
  url: string,
  configuration: Configuration,
  options: Parameters<typeof acquirePool>[2],
) =>
  Effect.map(
    acquirePool(url, configuration, {
      ...options,
      // Builds are rare.
      connectionsMin: 0,
      statementTimeoutMs: PATIENCE_MS,
    }),
    (pool) => databaseOf(pool),
  );

const tellBroken =
  (services: Context.Context<never>) =>
  (error: Error): void => {
    Effect.runForkWith(services)(
      Effect.annotateLogs(Effect.logWarning("A database connection broke"), {
        reason: error.message,
      }),
    );
  };

const acquirePool = (
  url: string,
  configuration: Configuration,
  options: Omit<PoolOptions, "url" | "connectTimeoutMs" | "onIdleError">,
) =>
  Effect.gen(function* () {
    const services = yield* Effect.context();
    let closing = false;
    return yield* Effect.acquireRelease(
      Effect.sync(() =>
        createPool({
          // One stays open, so that other processes do not take the last place that this one has.
          connectionsMin: 1,
          ...options,
          url,
          connectTimeoutMs: configuration.DATABASE_CONNECT_TIMEOUT_MS,
          // The pool has ended before its connections have: an embedded database that stops next breaks them off.
          onIdleError: (error) => {
            if (!closing) tellBroken(services)(error);
          },
        }),
      ),
      (pool) =>
        Effect.promise(() => {
          closing = true;
          return pool.close();
        }),
    );
  });

const acquireBoss = (execute: ReturnType<typeof executorOf>, roles: ReadonlySet<Role>) =>
  Effect.gen(function* () {
    const onError = yield* watchSupervision;
    return yield* Effect.acquireRelease(
      attempt(() =>
        startBoss({
          execute,
          supervise: roles.has("worker"),
          onError,
        }),
      ),
      (boss) => Effect.promise(() => boss.stop({ graceful: false })),
    );
  });
