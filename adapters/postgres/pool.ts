import { Context } from "effect";
import pg from "pg";

import { type Ask, askAlone, makeBackends } from "./backends.ts";
import type { Retrying } from "./retry.ts";
import { type SessionSettings, withSession } from "./session.ts";
import { StatementPool, type StatementPoolOptions } from "./statement_pool.ts";
import { makeTimelines, type Timelines } from "./timelines.ts";

/** What the adapters of this folder need of `pg`: run one prepared statement on some connection. */
export interface Database {
  /**
   * @param signal is aborted when nobody waits any more: then the statement is cancelled on the server, too, and not
   *   tried again. Only for statements that may be cancelled, which commits are not.
   */
  readonly query: <Row extends pg.QueryResultRow>(
    statement: Statement,
    values: ReadonlyArray<unknown>,
    signal?: AbortSignal,
  ) => Promise<ReadonlyArray<Row>>;
}

/** The databases that the ports of this folder use: a pool for each purpose, so that slow statements of one do not delay another. */
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

/** A statement under a name, so that a connection parses it once. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export interface PoolOptions {
  readonly url: string;
  /** The most connections open at once. */
  readonly connectionsMax: number;
  /** How long to wait for a connection before the database counts as away, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** How long one statement may run before it is given up, in milliseconds. */
  readonly statementTimeoutMs: number;
  /** Told of a connection that broke while idle; the pool replaces it by itself. */
  readonly onIdleError: (error: Error) => void;
  /** Settings of the sessions, such as `READ_SESSION`. */
  readonly session?: SessionSettings;
  /** How many connections stay open when they are idle, so that nobody else gets their places; none unless given. */
  readonly connectionsMin?: number;
  /**
   * Cancels and asks after what was given up, for less than a connection for each question; a new connection is what
   * is left when it fails.
   */
  readonly control?: StatementPool;
  /** Shared by all pools of a process that lead to the same database; a pool has its own unless given. */
  readonly timelines?: Timelines;
  /** For how long a connection is used at least and at most, in milliseconds; 40 to 60 s unless given. */
  readonly lifetimeMs?: StatementPoolOptions["lifetimeMs"];
  /** A clock that is never set, in milliseconds. */
  readonly now?: () => number;
}

/** Nothing that the service runs is worth compiling: its statements take milliseconds, or are planned as if they did. */
const NO_COMPILING: SessionSettings = { jit: "off" };

/**
 * For sessions that answer reads. Every read has one good plan, whatever its parameters, and the tests of
 * the plans hold it to that: to plan each again takes twice as long as to run it. No read takes more than one
 * processor, and what a read notes beside (a window that is asked for) does not wait for the disk or a standby.
 */
export const READ_SESSION: SessionSettings = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  jit: "off",
  max_parallel_workers_per_gather: "0",
  synchronous_commit: "off",
};

/** Counts and positions are bigint in the database and stay below 2^53: read them as numbers. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format),
};

/** How much longer than the server's own timeout to wait for an answer: for when it does not answer at all. */
const ANSWER_GRACE_MS = 1_000;

/** Opens a connection pool. No connection is made before the first query. */
export const createPool = (options: PoolOptions): StatementPool => {
  const { control, lifetimeMs } = options;
  const config: pg.ClientConfig = {
    connectionString: withSession(options.url, { ...NO_COMPILING, ...options.session }),
    connectionTimeoutMillis: options.connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    application_name: "tidemark",
    keepAlive: true,
    types,
  };
  const asks = [...(control === undefined ? [] : [askOn(control)]), askAlone(config)];
  const pool = new StatementPool({
    ...config,
    max: options.connectionsMax,
    min: options.connectionsMin ?? 0,
    answerTimeoutMs: options.statementTimeoutMs + ANSWER_GRACE_MS,
    backends: makeBackends(asks),
    timelines: options.timelines ?? makeTimelines(),
    ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
    ...(options.now === undefined ? {} : { now: options.now }),
  });
  pool.on("error", options.onIdleError);
  return pool;
};

const askOn =
  (pool: StatementPool): Ask =>
  async (text, values) =>
    (await pool.run<Record<string, unknown>>({ text, values })).rows;

const once: Retrying = (run) => run();

/** A database behind a pool, or behind one connection, where nothing can be tried again. */
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
 * Runs a statement once, and empties what `pg` was given and what it gave: its closures live until V8 collects the old
 * generation, and the more is kept there until then, the more often that is.
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
 * Runs SQL as pg-boss asks for it: several statements at once where there are no values.
 *
 * @param history of the database that the statements build on, as for `StatementPool.run`
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
      // Without values a text may hold several statements, and their results are an array of them.
      if (values === undefined) return pool.run({ text }, signal, history);
      const statement = name === undefined ? { text } : { text, name };
      return { rows: await rowsOf(pool, statement, values, signal, history) };
    }, signal);
