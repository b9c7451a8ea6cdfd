import { Effect, Layer, Ref } from "effect";

import { databaseOf } from "../adapters/postgres/pool.ts";
import { Access } from "../core/access/access.ts";
import { SAMPLE_VALID_MS } from "../core/command/capacity.ts";
import { Projection } from "../core/projection/projection.ts";
import { Queue } from "../core/queue/queue.ts";
import { Api } from "./api.ts";
import { Shared } from "./cache.ts";
import type { Configuration } from "./configuration.ts";
import { DatabaseFaults } from "./database/faults.ts";
import { Pools } from "./database/pools.ts";
import { Http } from "./http.ts";
import { Observers } from "./observe_port.ts";
import { type Application, CurrentPhase } from "./phase.ts";
import { databaseHealth } from "./readiness.ts";
import { TaskFaults } from "./task_faults.ts";

/** Called with where the service listens, and whether requests need an API key. */
export type OnListening = (listening: {
  readonly url: string;
  readonly needsKey: boolean;
}) => Effect.Effect<void>;

/**
 * Puts the service into operation as one step. At the end it is the first to stop: readiness fails,
 * and after a delay the listener closes.
 */
export const serveLayer = (
  { ROLES, SHUTDOWN_DELAY_MS }: Pick<Configuration, "ROLES" | "SHUTDOWN_DELAY_MS">,
  onListening: OnListening,
) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const phase = yield* CurrentPhase;
      const http = yield* Http;
      const access = yield* Access;
      const application = yield* makeApplication(ROLES);
      yield* Effect.acquireRelease(Ref.set(phase, { _tag: "Running", application }), () =>
        Effect.gen(function* () {
          yield* Ref.set(phase, { _tag: "Stopping", application });
          yield* http.drain;
          yield* Effect.sleep(SHUTDOWN_DELAY_MS);
          yield* http.close;
        }),
      );
      const isOpen = yield* Effect.isSuccess(access.authenticate(undefined));
      yield* onListening({ url: http.url, needsKey: !isOpen });
    }),
  );

const makeApplication = Effect.fnUntraced(function* (roles: Configuration["ROLES"]) {
  const { listenerOf } = yield* Http;
  const { counters, redis } = yield* Shared;
  const { control, queue, log, read } = yield* Pools;
  const { permits } = yield* Observers;
  const databaseFaults = yield* DatabaseFaults;
  const taskFaults = yield* TaskFaults;
  const api = yield* Api;
  /** Why the process is not ready though its database is. */
  const faults = (): Readonly<Record<string, string>> => ({
    ...taskFaults.lasting(),
    ...(api?.capacity.isUnknown(Date.now()) === true && { backlog: BACKLOG_UNKNOWN }),
  });
  return {
    listener: listenerOf({ services: api?.services, access: yield* Access, shared: counters }),
    health: {
      roles,
      database: databaseHealth(databaseOf(control), {
        pools: { queue, log, reads: read },
        faults: databaseFaults.ongoing,
      }),
      redis,
      faults,
    },
    sources: {
      cache: api?.cache,
      redis,
      readsWaiting: api && permits.waiting,
      pools: { control, queue, log, read },
      projection: yield* Projection,
      queue: yield* Queue,
    },
  } satisfies Application;
});

const BACKLOG_UNKNOWN = `unknown: it has not been read for ${SAMPLE_VALID_MS / 1_000} s, and nothing is accepted`;
