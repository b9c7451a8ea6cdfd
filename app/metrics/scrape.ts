import { Effect } from "effect";
import type pg from "pg";

import type { StatementPool } from "../../adapters/postgres/statement_pool.ts";
import type { Lag, Projection } from "../../core/projection/projection.ts";
import type { SummaryCache } from "../../core/query/summary_cache.ts";
import type { Backlog, Queue } from "../../core/queue/queue.ts";
import { makeMeters, type Meters } from "./meters.ts";

/** What every process has from its start. */
export interface MetricSources {
  /** What was counted so far. */
  readonly meters: Meters["Service"];
  /** Adds the figures of the process itself. */
  readonly process: (now: Meters["Service"]) => void;
  readonly roles: ReadonlySet<string>;
  /** How many clients are connected. */
  readonly connections: () => number;
  /** The memory that request bodies take, in bytes. */
  readonly bodiesHeld: () => number;
  /** Undefined while the service starts. */
  readonly stations: StationSources | undefined;
}

/** What a process has once it runs. */
export interface StationSources {
  /** Undefined in a process without the api role. */
  readonly cache?: Pick<SummaryCache["Service"], "counts"> | undefined;
  /** "ok" or what is wrong; undefined in a service without Redis. */
  readonly redis?: (() => string) | undefined;
  /** How many reads wait for a connection; undefined in a process without the api role. */
  readonly readsWaiting?: (() => number) | undefined;
  /** By purpose. */
  readonly pools: Readonly<Record<string, Pool>>;
  readonly projection: Pick<Projection["Service"], "lag">;
  readonly queue: Pick<Queue["Service"], "backlog">;
}

type Pool = Pick<StatementPool, "totalCount" | "idleCount" | "waitingCount" | "givenUpCount"> & {
  readonly options: Pick<pg.Pool["options"], "max">;
};

/** How long a scrape waits for the database; then it goes without. */
const DATABASE_TIMEOUT = "2 seconds";

/**
 * The metrics as Prometheus text: what was counted, and what is looked up now. What cannot be
 * looked up is left out, rather than shown as it was some time ago.
 */
export const makeMetrics = (sources: MetricSources): Effect.Effect<string> =>
  Effect.gen(function* () {
    const { stations } = sources;
    const [lags, backlog] = yield* Effect.all(
      [lookUp(stations?.projection.lag), lookUp(stations?.queue.backlog)],
      { concurrency: 2 },
    );
    const now = makeMeters();
    sources.process(now);
    const role = now.gauge("tidemark_role", "Always 1, for each role of this process.");
    for (const name of sources.roles) role({ role: name })(1);
    now.gauge("tidemark_http_connections", "Open client connections.")()(sources.connections());
    now.gauge(
      "tidemark_http_bodies_bytes",
      "Memory of request bodies, from the first byte until they are decoded.",
    )()(sources.bodiesHeld());
    if (stations !== undefined) addStations(now, stations);
    if (lags !== undefined) addLags(now, lags);
    if (backlog !== undefined) addBacklog(now, backlog);
    const isUp = lags !== undefined && backlog !== undefined;
    now.gauge("tidemark_database_up", "Whether the database answered this scrape: 1 or 0.")()(
      isUp ? 1 : 0,
    );
    return sources.meters.text() + now.text();
  });

const lookUp = <A>(effect: Effect.Effect<A, unknown> | undefined): Effect.Effect<A | undefined> =>
  effect === undefined
    ? Effect.undefined
    : Effect.timeout(effect, DATABASE_TIMEOUT).pipe(Effect.catch(() => Effect.undefined));

/** What this process knows without the database. */
const addStations = (
  { counter, gauge }: Meters["Service"],
  { cache, redis, readsWaiting, pools }: StationSources,
): void => {
  const answers = counter(
    "tidemark_cache_answers_total",
    "Summaries answered, by tier. Tier miss: read from the database.",
  );
  for (const [tier, count] of Object.entries(cache?.counts ?? {})) answers({ tier })(count);
  if (redis !== undefined) {
    const isUp = redis() === "ok";
    gauge("tidemark_redis_up", "Whether Redis is available: 1 or 0.")()(isUp ? 1 : 0);
  }
  if (readsWaiting !== undefined) {
    const waiting = gauge(
      "tidemark_query_waiting",
      "Reads waiting for their client's turn on a connection.",
    );
    waiting()(readsWaiting());
  }
  const connections = gauge(
    "tidemark_database_connections",
    "Connections to the database, by pool and state. State given_up: the server still runs a statement that was given up.",
  );
  const connectionsMax = gauge(
    "tidemark_database_connections_max",
    "Maximum connections of a pool.",
  );
  const waiting = gauge(
    "tidemark_database_connections_waiting",
    "Statements waiting for a connection of a pool.",
  );
  for (const [
    pool,
    { totalCount, idleCount, waitingCount, givenUpCount, options },
  ] of Object.entries(pools)) {
    connections({ pool, state: "active" })(totalCount - idleCount - givenUpCount);
    connections({ pool, state: "given_up" })(givenUpCount);
    connections({ pool, state: "idle" })(idleCount);
    connectionsMax({ pool })(options.max);
    waiting({ pool })(waitingCount);
  }
};

const addLags = ({ gauge }: Meters["Service"], lags: ReadonlyArray<Lag>): void => {
  const logHead = gauge(
    "tidemark_log_head",
    "Position of the last event in the log, by shard; equals the number of events.",
  );
  const lagEvents = gauge(
    "tidemark_projection_lag_events",
    "Events in the log that are not folded yet, by shard.",
  );
  const lagSeconds = gauge(
    "tidemark_projection_lag_seconds",
    "Age of the oldest event that is not folded yet, by shard.",
  );
  for (const { shard, head, checkpoint, seconds } of lags) {
    const labels = { shard: String(shard) };
    logHead(labels)(head);
    lagEvents(labels)(head - checkpoint);
    lagSeconds(labels)(seconds);
  }
};

const addBacklog = ({ gauge }: Meters["Service"], backlog: Backlog): void => {
  gauge("tidemark_queue_depth_events", "Accepted events waiting to be appended.")()(backlog.events);
  gauge("tidemark_queue_age_seconds", "Age of the oldest waiting job.")()(backlog.seconds);
  gauge("tidemark_dead_letters", "Jobs whose every attempt failed; see npm run deadletters.")()(
    backlog.deadLetters,
  );
};
