import pg from "pg";

import type { Retrying } from "./retry.ts";

/** What the adapters of this folder need of `pg`: run one prepared statement on some connection. */
export interface Database {
  /** @param signal is aborted when nobody waits any more; then it is not tried again */
  readonly query: <Row extends pg.QueryResultRow>(
    statement: Statement,
    values: ReadonlyArray<unknown>,
    signal?: AbortSignal,
  ) => Promise<ReadonlyArray<Row>>;
}

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
}

/** Settings of a database session, by their names. */
export type SessionSettings = Readonly<Record<string, string>>;

/**
 * For sessions that answer reads. Every read has one good plan, whatever its parameters, and the tests of
 * the plans hold it to that: to plan each again takes twice as long as to run it.
 */
export const READ_SESSION: SessionSettings = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  jit: "off",
};

/** Session settings as an option of the connection, so that they cost no round trip. */
export const sessionOptions = (settings: SessionSettings): string =>
  Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(" ");

/** Counts and positions are bigint in the database and stay below 2^53: read them as numbers. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format),
};

const connectionConfig = (
  options: Pick<PoolOptions, "url" | "connectTimeoutMs" | "statementTimeoutMs">,
): pg.ClientConfig => ({
  connectionString: options.url,
  connectionTimeoutMillis: options.connectTimeoutMs,
  statement_timeout: options.statementTimeoutMs,
  // Behind the server's own timeout: for when the server does not answer at all.
  query_timeout: options.statementTimeoutMs + 1_000,
  application_name: "tidemark",
  keepAlive: true,
  types,
});

/** Opens a connection pool. No connection is made before the first query. */
export const createPool = (options: PoolOptions): pg.Pool => {
  const pool = new pg.Pool({
    ...connectionConfig(options),
    max: options.connectionsMax,
    ...(options.session === undefined ? {} : { options: sessionOptions(options.session) }),
  });
  pool.on("error", options.onIdleError);
  return pool;
};

const once: Retrying = (run) => run();

/** A database behind a pool, or behind one connection, where nothing can be tried again. */
export const databaseOf = (
  queryable: Pick<pg.ClientBase, "query">,
  retrying: Retrying = once,
): Database => ({
  query: <Row extends pg.QueryResultRow>(
    statement: Statement,
    values: ReadonlyArray<unknown>,
    signal?: AbortSignal,
  ) => retrying(() => rowsOf<Row>(queryable, statement, values), signal),
});

/**
 * Runs a statement once, and empties what `pg` was given and what it gave: it keeps a record of each query with a
 * `query_timeout` in a closure that V8 frees with the old generation only, and the more is kept there until
 * then, the more often that is collected.
 */
const rowsOf = async <Row extends pg.QueryResultRow>(
  queryable: Pick<pg.ClientBase, "query">,
  statement: Partial<Statement> & Pick<Statement, "text">,
  values: ReadonlyArray<unknown>,
): Promise<Row[]> => {
  const given = [...values];
  try {
    const result = await queryable.query<Row>({ ...statement, values: given });
    const { rows } = result;
    result.rows = [];
    return rows;
  } finally {
    given.length = 0;
  }
};

export type PatienceOptions = Pick<
  PoolOptions,
  "url" | "connectTimeoutMs" | "statementTimeoutMs" | "onIdleError"
>;

/**
 * A database for statements that take long and come rarely: each has a connection of its own, so that it takes
 * none from a pool, and one that nobody waits for any more is broken off.
 */
export const patientDatabase = (options: PatienceOptions): Database => ({
  query: async (statement, values, signal) => {
    const client = new pg.Client(connectionConfig(options));
    client.on("error", options.onIdleError);
    // With a statement under way this closes the socket, which the server notices.
    const breakOff = () => void client.end().catch(options.onIdleError);
    signal?.addEventListener("abort", breakOff, { once: true });
    try {
      await client.connect();
      return (await client.query({ text: statement.text, values: [...values] })).rows;
    } finally {
      signal?.removeEventListener("abort", breakOff);
      if (signal?.aborted !== true) await client.end();
    }
  },
});

/** Runs SQL as pg-boss asks for it: several statements at once where there are no values. */
export const executorOf =
  (pool: pg.Pool, retrying: Retrying = once) =>
  (text: string, values?: unknown[], name?: string): Promise<{ rows: unknown[] }> =>
    retrying(async () => {
      // Without values a text may hold several statements, and their results are an array of them.
      if (values === undefined) return pool.query(text);
      const statement = name === undefined ? { text } : { text, name };
      return { rows: await rowsOf(pool, statement, values) };
    });
