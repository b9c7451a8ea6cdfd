import { Effect } from "effect";
import type pg from "pg";

import type { StatementPool } from "../../adapters/postgres/statement_pool.ts";
import type { Lag, Projection } from "../../core/projection/projection.ts";
import type { SummaryCache } from "../../core/query/summary_cache.ts";
import type { Backlog, Queue } from "../../core/queue/queue.ts";
import { type Family, makeMeters, type Meters } from "./meters.ts";

/** What the metrics are looked up from, as far as there is such a thing already. */
export interface MetricSources {
  /** What was counted so far. */
  readonly meters: Meters;
  /** Tells how the process is. */
  readonly process: (now: Meters) => void;
  readonly roles: ReadonlySet<string>;
  /** How many clients are connected. */
  readonly connections: () => number;
  /** How many bytes of memory request bodies hold. */
  readonly bodiesHeld: () => number;
  /** Absent in a process without the api role. */
  readonly cache?: Pick<SummaryCache["Service"], "counts"> | undefined;
  /** "ok" or what is wrong; absent in a service without Redis. */
  readonly redis?: (() => string) | undefined;
  /** How many reads wait for a connection; absent in a process without the api role. */
  readonly readsWaiting?: (() => number) | undefined;
  /** By what they are for. */
  readonly pools?: Readonly<Record<string, Pool>>;
  readonly projection?: Pick<Projection["Service"], "lag">;
  readonly queue?: Pick<Queue["Service"], "backlog">;
}

type Pool = Pick<StatementPool, "totalCount" | "idleCount" | "waitingCount" | "givenUpCount"> & {
  readonly options: Pick<pg.Pool["options"], "max">;
};

/** How long the database may take to be asked; then the rest is told without it. */
const DATABASE_PATIENCE = "2 seconds";

/**
 * Makes the effect that tells the metrics as Prometheus text: what was counted, and what is looked up now. Of
 * what cannot be looked up nothing is told, rather than how it was some time ago.
 */
export const makeMetrics = (sources: MetricSources): Effect.Effect<string> =>
  Effect.gen(function* () {
    const { projection, queue } = sources;
    const [lags, backlog] = yield* Effect.all([lookUp(projection?.lag), lookUp(queue?.backlog)], {
      concurrency: 2,
    });
    const now = makeMeters();
    sources.process(now);
    tellParts(now, sources);
    if (lags !== undefined) tellLags(now, lags);
    if (backlog !== undefined) tellBacklog(now, backlog);
    now.gauge(DATABASE_UP)(lags !== undefined && backlog !== undefined ? 1 : 0);
    return sources.meters.text() + now.text();
  });

const lookUp = <A>(effect: Effect.Effect<A, unknown> | undefined): Effect.Effect<A | undefined> =>
  effect === undefined
    ? Effect.undefined
    : Effect.timeout(effect, DATABASE_PATIENCE).pipe(Effect.catch(() => Effect.undefined));

const DATABASE_UP: Family = {
  name: "tidemark_database_up",
  help: "1 if the database answered when these metrics were asked for",
};
const ROLE: Family = { name: "tidemark_role", help: "1 for each role of this process" };
const HTTP_CONNECTIONS: Family = {
  name: "tidemark_http_connections",
  help: "Connections that clients have open",
};
const HTTP_BODIES: Family = {
  name: "tidemark_http_bodies_bytes",
  help: "Memory of request bodies, from their first byte until they are decoded",
};
const CACHE_ANSWERS: Family = {
  name: "tidemark_cache_answers_total",
  help: "Summaries answered, by the tier that had them (miss: read from the database)",
};
const REDIS_UP: Family = {
  name: "tidemark_redis_up",
  help: "1 while Redis is used, 0 while it is done without",
};
const READS_WAITING: Family = {
  name: "tidemark_query_waiting",
  help: "Reads that wait for their client's turn on a connection",
};
const POOL_CONNECTIONS: Family = {
  name: "tidemark_database_connections",
  help: "Connections to the database, by pool and state; given_up: the server still runs what nobody waits for",
};
const POOL_MAX: Family = {
  name: "tidemark_database_connections_max",
  help: "The most connections of a pool",
};
const POOL_WAITING: Family = {
  name: "tidemark_database_connections_waiting",
  help: "Statements that wait for a connection of a pool",
};

/** What this process knows without asking anybody. */
const tellParts = (
  now: Meters,
  { roles, connections, bodiesHeld, cache, redis, readsWaiting, pools = {} }: MetricSources,
): void => {
  for (const role of roles) now.gauge(ROLE, { role })(1);
  now.gauge(HTTP_CONNECTIONS)(connections());
  now.gauge(HTTP_BODIES)(bodiesHeld());
  for (const [tier, count] of Object.entries(cache?.counts ?? {})) {
    now.counter(CACHE_ANSWERS, { tier })(count);
  }
  if (redis !== undefined) now.gauge(REDIS_UP)(redis() === "ok" ? 1 : 0);
  if (readsWaiting !== undefined) now.gauge(READS_WAITING)(readsWaiting());
  for (const [name, pool] of Object.entries(pools)) {
    const { totalCount, idleCount, waitingCount, givenUpCount, options } = pool;
    const active = totalCount - idleCount - givenUpCount;
    now.gauge(POOL_CONNECTIONS, { pool: name, state: "active" })(active);
    now.gauge(POOL_CONNECTIONS, { pool: name, state: "given_up" })(givenUpCount);
    now.gauge(POOL_CONNECTIONS, { pool: name, state: "idle" })(idleCount);
    now.gauge(POOL_MAX, { pool: name })(options.max);
    now.gauge(POOL_WAITING, { pool: name })(waitingCount);
  }
};

const LOG_HEAD: Family = {
  name: "tidemark_log_head",
  help: "Position of the last event of the log, by shard: how many it holds",
};
const LAG_EVENTS: Family = {
  name: "tidemark_projection_lag_events",
  help: "Events in the log that are not folded yet, by shard",
};
const LAG_SECONDS: Family = {
  name: "tidemark_projection_lag_seconds",
  help: "Age of the oldest event that is not folded yet, by shard",
};

const tellLags = (now: Meters, lags: ReadonlyArray<Lag>): void => {
  for (const { shard, head, checkpoint, seconds } of lags) {
    const labels = { shard: String(shard) };
    now.gauge(LOG_HEAD, labels)(head);
    now.gauge(LAG_EVENTS, labels)(head - checkpoint);
    now.gauge(LAG_SECONDS, labels)(seconds);
  }
};

const QUEUE_DEPTH: Family = {
  name: "tidemark_queue_depth_events",
  help: "Accepted events that wait to be appended",
};
const QUEUE_AGE: Family = {
  name: "tidemark_queue_age_seconds",
  help: "Age of the oldest job that waits",
};
const DEAD_LETTERS: Family = {
  name: "tidemark_dead_letters",
  help: "Jobs whose every attempt failed; see npm run deadletters",
};

const tellBacklog = (now: Meters, { events, seconds, deadLetters }: Backlog): void => {
  now.gauge(QUEUE_DEPTH)(events);
  now.gauge(QUEUE_AGE)(seconds);
  now.gauge(DEAD_LETTERS)(deadLetters);
};
