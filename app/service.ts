import { Deferred, Effect, Layer } from "effect";

import { Boss, openBoss } from "../adapters/pg_boss/boss.ts";
import { deadLettersLayer } from "../adapters/pg_boss/dead_letters.ts";
import { queueLayer } from "../adapters/pg_boss/queue.ts";
import { accountEventsLayer } from "../adapters/postgres/account_events.ts";
import { activityLayer } from "../adapters/postgres/activity.ts";
import { apiKeysLayer } from "../adapters/postgres/api_keys.ts";
import { eventLogLayer } from "../adapters/postgres/event_log.ts";
import { projectionLayer } from "../adapters/postgres/projection.ts";
import { summariesLayer } from "../adapters/postgres/summaries.ts";
import { runProjector } from "../core/projection/projector.ts";
import { runWorker } from "../core/queue/worker.ts";
import { makeSignals, Signals } from "../core/signal.ts";
import { accessLayer } from "./access.ts";
import { Api, apiLayer } from "./api.ts";
import { sharedLayer } from "./cache.ts";
import type { Configuration } from "./configuration.ts";
import { DatabaseFaults } from "./database/faults.ts";
import { poolsLayer } from "./database/pools.ts";
import { schemaLayer } from "./database/schema.ts";
import { databaseUrlLayer } from "./database/url.ts";
import { untilDatabaseReady } from "./database/wait.ts";
import { httpLayer } from "./http.ts";
import { Meters } from "./metrics/meters.ts";
import {
  observeAccountEvents,
  observeActivity,
  observeDeadLetters,
  observeEventLog,
  observeProjection,
  observeQueue,
  observeSummaries,
} from "./observations.ts";
import { observersLayer } from "./observe_port.ts";
import { CurrentPhase, Ended, runLoop } from "./phase.ts";
import { type OnListening, serveLayer } from "./serve.ts";
import { TaskFaults } from "./task_faults.ts";
import { tracingLayer } from "./tracing/tracing.ts";

/**
 * Runs the service with the roles of its configuration, until interrupted.
 *
 * @param onListening runs once the service accepts requests
 * @errors `ListenFailed`, `EmbeddedDatabaseFailed`, `DatabaseUnusable`
 */
export const runService = Effect.fnUntraced(function* (
  configuration: Configuration,
  onListening: OnListening,
) {
  const ended = yield* Deferred.make<never, Error>();
  const service = Layer.provide(
    serviceLayer(configuration, onListening),
    Layer.succeed(Ended, ended),
  );
  return yield* Effect.raceFirst(
    Effect.andThen(Layer.build(service), Effect.never),
    Deferred.await(ended),
  );
}, Effect.scoped);

/**
 * The parts of the service, and what each of them needs. A part starts after what it needs, and
 * stops before: at the end no new requests are accepted, the loops finish what is in flight, the
 * pools and then the embedded database close, and the last spans are sent.
 */
const serviceLayer = (configuration: Configuration, onListening: OnListening) => {
  const { ROLES, SHARDS, ENQUEUE_BUFFER_BYTES_MAX } = configuration;

  // From the first moment to the last, whatever becomes of the database.
  const frame = httpLayer(configuration).pipe(
    Layer.provideMerge(CurrentPhase.layer),
    Layer.provideMerge(Layer.mergeAll(TaskFaults.layer, DatabaseFaults.layer)),
    Layer.provideMerge(tracingLayer(configuration)),
    Layer.provideMerge(Meters.layer),
  );

  const database = schemaLayer(configuration).pipe(
    Layer.provideMerge(poolsLayer(configuration)),
    Layer.provideMerge(databaseUrlLayer(configuration)),
  );
  const shared = Layer.mergeAll(observersLayer, sharedLayer(configuration), signalsLayer).pipe(
    Layer.provideMerge(database),
  );

  const boss = Layer.effect(Boss, untilDatabaseReady(openBoss(ROLES.has("worker"))));
  const stations = Layer.mergeAll(
    queueLayer(ENQUEUE_BUFFER_BYTES_MAX).pipe(observeQueue),
    deadLettersLayer.pipe(observeDeadLetters),
    eventLogLayer(SHARDS).pipe(observeEventLog),
    projectionLayer.pipe(observeProjection),
    summariesLayer(SHARDS).pipe(observeSummaries),
    activityLayer(SHARDS).pipe(observeActivity),
    accountEventsLayer(SHARDS).pipe(observeAccountEvents),
    Layer.provide(accessLayer(configuration), apiKeysLayer),
  ).pipe(Layer.provide(boss), Layer.provideMerge(shared));

  const roles = Layer.mergeAll(
    ROLES.has("api") ? apiLayer(configuration) : Layer.succeed(Api, undefined),
    ROLES.has("worker") ? Layer.effectDiscard(runLoop(runWorker)) : Layer.empty,
    ROLES.has("projector") ? Layer.effectDiscard(runLoop(runProjector)) : Layer.empty,
  );

  return serveLayer(configuration, onListening).pipe(
    Layer.provide(roles),
    Layer.provide(stations),
    Layer.provide(frame),
  );
};

const signalsLayer = Layer.sync(Signals, makeSignals);
