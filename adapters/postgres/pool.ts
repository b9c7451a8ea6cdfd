import { Context, Effect, Layer } from "effect";
import pg from "pg";

import { makeBackends, type Query, queryAlone } from "./backends.ts";
import type { Retrying } from "./retry.ts";
import { type SessionSettings, withSession } from "./session.ts";
import { StatementPool, type StatementPoolOptions } from "./statement_pool.ts";
import { makeTimelines, type Timelines } from "./timelines.ts";

/** Runs prepared statements, each on some connection. */
export interface Database {
  /**
   * @param signal cancels the statement, on the server as well, and prevents retries. Not for
   *   statements that write: a commit must not be cancelled.
   */
  readonly query: <Row extends pg.QueryResultRow>(
    statement: Statement,
    values: ReadonlyArray<unknown>,
    signal?: AbortSignal,
  ) => Promise<ReadonlyArray<Row>>;
}

/** The databases of the ports: a pool for each purpose, so that none delays another. */
export class Databases extends Context.Service<
  Databases,
  {
    /** For cheap polls, keys and quotas. Nothing that a client can make slow runs here. */
    readonly control: Database;
    /** For appends to the log, and for steps of the projection. */
    readonly log: Database;
    /** For reads that clients request. */
    readonly read: Database;
    /** For building the windows of large accounts, which takes minutes. */
    readonly build: Database;
  }
>()("tidemark/postgres/Databases") {}

/** The layer of a port that runs its statements on these databases. */
export const portLayer = <Id, Port>(
  port: Context.Key<Id, Port>,
  make: (databases: Databases["Service"]) => Port,
): Layer.Layer<Id, never, Databases> => Layer.effect(port, Effect.map(Databases, make));

/** A statement with a name, so that each connection parses it once. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export interface PoolOptions {
  readonly url: string;
  /** The most open connections. */
  readonly connectionsMax: number;
  /** How long to wait for a connection, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** How long one statement may run, in milliseconds. */
  readonly statementTimeoutMs: number;
  /** Called when an idle connection breaks; the pool replaces it by itself. */
  readonly onIdleError: (error: Error) => void;
  /** Settings of the sessions, such as `READ_SESSION`. */
  readonly session?: SessionSettings;
  /** How many idle connections stay open, so that no other process gets their slots; default 0. */
  readonly connectionsMin?: number;
  /** Cancels and checks statements that were given up; default: a new connection each time. */
  readonly control?: StatementPool;
  /** Shared by all pools of a process on the same database; by default a pool has its own. */
  readonly timelines?: Timelines;
  /** The shortest and longest lifetime of a connection, in milliseconds; default 40 to 60 s. */
  readonly lifetimeMs?: StatementPoolOptions["lifetimeMs"];
  /** A monotonic clock, in milliseconds. */
  readonly now?: () => number;
}

/** JIT compilation never pays here: statements take milliseconds, or are planned as if they did. */
const NO_JIT: SessionSettings = { jit: "off" };

/**
 * For sessions that answer reads. Every read has one good plan, whatever its parameters; planning
 * each again would take twice as long as running it (docs/design.md, Query plans). No read uses
 * more than one processor, and the request for a window that a read may insert does not wait for
 * the disk or a standby.
 */
export const READ_SESSION: SessionSettings = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  jit: "off",
  max_parallel_workers_per_gather: "0",
  synchronous_commit: "off",
};

/** Reads bigint as number: counts and positions stay below 2^53. */
export const TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format),
};

/** How much longer than the server's own timeout to wait, if the server does not answer at all. */
const ANSWER_GRACE_MS = 1_000;

/** Creates a connection pool. It opens no connection before the first query. */
export const createPool = (options: PoolOptions): StatementPool => {
  const { control, lifetimeMs } = options;
  const config: pg.ClientConfig = {
    connectionString: withSession(options.url, { ...NO_JIT, ...options.session }),
    connectionTimeoutMillis: options.connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    application_name: "tidemark",
    keepAlive: true,
    types: TYPES,
  };
  const queries = [...(control === undefined ? [] : [queryOn(control)]), queryAlone(config)];
  const pool = new StatementPool({
    ...config,
    max: options.connectionsMax,
    min: options.connectionsMin ?? 0,
    answerTimeoutMs: options.statementTimeoutMs + ANSWER_GRACE_MS,
    backends: makeBackends(queries),
    timelines: options.timelines ?? makeTimelines(),
    ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
    ...(options.now === undefined ? {} : { now: options.now }),
  });
  pool.on("error", options.onIdleError);
  return pool;
};

/** For sessions that read the log at large: a fold counts its groups in memory. */
const BUILDER_SESSION: SessionSettings = { work_mem: "64MB" };

const BUILDER_CONNECT_TIMEOUT_MS = 10_000;

/** A day: counting all of a large shard takes as long as it takes. */
const BUILDER_STATEMENT_TIMEOUT_MS = 86_400_000;

/**
 * Creates the pool for building and verifying generations.
 *
 * @param shardsAtOnce how many shards are worked on at the same time, each on a connection
 */
export const openBuilderPool = (url: string, shardsAtOnce: number): StatementPool =>
  createPool({
    url,
    // One holds the lock, and one is for short statements in between, such as a cancel.
    connectionsMax: shardsAtOnce + 2,
    connectTimeoutMs: BUILDER_CONNECT_TIMEOUT_MS,
    statementTimeoutMs: BUILDER_STATEMENT_TIMEOUT_MS,
    // A query on a broken connection fails by itself.
    onIdleError: () => {},
    session: BUILDER_SESSION,
  });

const queryOn =
  (pool: StatementPool): Query =>
  async (text, values) =>
    (await pool.run<Record<string, unknown>>({ text, values })).rows;

const once: Retrying = (run) => run();

/** A database on a pool, or on one connection, where no statement can be retried. */
export const databaseOf = (
  queryable: StatementPool | Pick<pg.ClientBase, "query">,
  retrying: Retrying = once,
): Database => ({
  query: <Row extends pg.QueryResultRow>(
    statement: Statement,
    values: ReadonlyArray<unknown>,
    signal?: AbortSignal,
  ) => retrying(() => rowsOf<Row>(queryable, statement, values, signal), signal),
});

/**
 * Runs a statement once, and empties the arrays that `pg` received and returned. The closures of
 * `pg` live until V8 collects the old generation, which it must do the more often the more they
 * retain.
 */
const rowsOf = async <Row extends pg.QueryResultRow>(
  queryable: StatementPool | Pick<pg.ClientBase, "query">,
  statement: Partial<Statement> & Pick<Statement, "text">,
  values: ReadonlyArray<unknown>,
  signal?: AbortSignal,
  history?: number,
): Promise<Row[]> => {
  const given = [...values];
  const config = { ...statement, values: given };
  try {
    const result =
      queryable instanceof StatementPool
        ? await queryable.run<Row>(config, signal, history)
        : await queryable.query<Row>(config);
    const { rows } = result;
    result.rows = [];
    return rows;
  } finally {
    given.length = 0;
  }
};

/**
 * Runs SQL for pg-boss, which sends several statements in one text if there are no values.
 *
 * @param history the history of the database that the statements build on, as for
 *   `StatementPool.run`
 */
export const executorOf =
  (pool: StatementPool, retrying: Retrying = once, history?: number) =>
  (
    text: string,
    values?: unknown[],
    name?: string,
    signal?: AbortSignal,
  ): Promise<{ rows: unknown[] }> =>
    retrying(async () => {
      // Without values a text may contain several statements, and the result is an array.
      if (values === undefined) return pool.run({ text }, signal, history);
      const statement = name === undefined ? { text } : { text, name };
      return { rows: await rowsOf(pool, statement, values, signal, history) };
    }, signal);
