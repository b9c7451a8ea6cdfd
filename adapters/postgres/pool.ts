import pg from "pg";

/** What the adapters of this folder need of `pg`: run one prepared statement on some connection. */
export interface Database {
  readonly query: <Row extends pg.QueryResultRow>(
    statement: Statement,
    values: ReadonlyArray<unknown>,
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
}

/** Counts and positions are bigint in the database and stay below 2^53: read them as numbers. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format),
};

/** Opens a connection pool. No connection is made before the first query. */
export const createPool = (options: PoolOptions): pg.Pool => {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.connectionsMax,
    connectionTimeoutMillis: options.connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    // Behind the server's own timeout: for when the server does not answer at all.
    query_timeout: options.statementTimeoutMs + 1_000,
    application_name: "tidemark",
    keepAlive: true,
    types,
  });
  pool.on("error", options.onIdleError);
  return pool;
};

/** A database behind a pool, or behind one connection. */
export const databaseOf = (queryable: Pick<pg.ClientBase, "query">): Database => ({
  query: async (statement, values) => {
    const result = await queryable.query({ ...statement, values: [...values] });
    return result.rows;
  },
});

/** Runs SQL as pg-boss asks for it: several statements at once where there are no values. */
export const executorOf =
  (pool: pg.Pool) =>
  (text: string, values?: unknown[], name?: string): Promise<{ rows: unknown[] }> =>
    pool.query({
      text,
      ...(values === undefined ? {} : { values }),
      ...(name === undefined ? {} : { name }),
    });
