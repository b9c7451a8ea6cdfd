import type pg from "pg";

import { createPool, type Database, databaseOf } from "../../adapters/postgres/pool.ts";

/** The database as the judge sees it: past all proxies, and wherever the server listens now. */
export interface DirectDatabase {
  /** What the adapters of the service take, for the judge to read with. */
  readonly database: () => Database;
  readonly query: <Row extends pg.QueryResultRow>(
    text: string,
    values?: ReadonlyArray<unknown>,
  ) => Promise<ReadonlyArray<Row>>;
  /** Runs with a connection of its own, which is given back at the end. */
  readonly session: <A>(use: (client: pg.PoolClient) => Promise<A>) => Promise<A>;
  readonly close: () => Promise<void>;
}

/** Reading a whole log one by one is slow on purpose. */
const STATEMENT_TIMEOUT_MS = 120_000;

export const openDirectDatabase = (url: () => string): DirectDatabase => {
  let opened: { readonly url: string; readonly pool: pg.Pool } | undefined;

  const pool = (): pg.Pool => {
    if (opened?.url !== url()) {
      void opened?.pool.end();
      const options = {
        url: url(),
        connectionsMax: 4,
        connectTimeoutMs: 3_000,
        statementTimeoutMs: STATEMENT_TIMEOUT_MS,
        onIdleError: () => {},
      };
      opened = { url: url(), pool: createPool(options) };
    }
    return opened.pool;
  };

  return {
    database: () => databaseOf(pool()),
    query: async (text, values = []) => {
      const { rows } = await pool().query({ text, values: [...values] });
      return rows;
    },
    session: async (use) => {
      const client = await pool().connect();
      let broken = true;
      try {
        const result = await use(client);
        broken = false;
        return result;
      } finally {
        client.release(broken);
      }
    },
    close: async () => {
      await opened?.pool.end();
    },
  };
};
