import { setTimeout as delay } from "node:timers/promises";

import type pg from "pg";

import { createPool, type Database, databaseOf } from "../../adapters/postgres/pool.ts";

/** A connection to the database that bypasses all proxies and follows the server when its URL changes. */
export interface DirectDatabase {
  /** For adapters of the service. */
  readonly database: () => Database;
  readonly query: <Row extends pg.QueryResultRow>(
    text: string,
    values?: ReadonlyArray<unknown>,
  ) => Promise<ReadonlyArray<Row>>;
  /** Runs something on a connection of its own. */
  readonly session: <A>(use: (client: pg.PoolClient) => Promise<A>) => Promise<A>;
  readonly close: () => Promise<void>;
}

/** A judge reads whole logs without any index. */
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

const BACKLOG = `
  select
    (select count(*)::int from tidemark_queue.job
     where name = 'events' and state < 'completed') as jobs,
    (select sum(h.position - c.position)::int
     from tidemark.log_heads h join read_models.checkpoints c using (shard)) as events`;

const POLL_MS = 100;

/**
 * Waits until the queue is empty and the whole log is folded. Returns undefined, or what is left when the time is over;
 * an unavailable database counts as a backlog.
 */
export const drain = async (
  database: DirectDatabase,
  withinMs: number,
): Promise<string | undefined> => {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const left = await backlogOf(database);
    if (left === undefined || performance.now() > deadline) return left;
    await delay(POLL_MS);
  }
};

const backlogOf = async (database: DirectDatabase): Promise<string | undefined> => {
  try {
    const [row] = await database.query<{ jobs: number; events: number | null }>(BACKLOG);
    if (row?.jobs === 0 && row.events === 0) return undefined;
    return `${row?.jobs} jobs and ${row?.events} events`;
  } catch (error) {
    return String(error);
  }
};
