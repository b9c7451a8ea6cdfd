import type pg from "pg";

import { present } from "../../core/invariant.ts";
import { type Database, databaseOf, type Statement } from "./pool.ts";

const PID: Statement = { name: "backend_pid", text: "select pg_backend_pid() as pid" };

/**
 * Runs statements in one transaction on a connection of its own, and rolls it back if they fail.
 * The signal cancels the running statement, on the server as well.
 *
 * @param begin such as `begin isolation level repeatable read read only`
 */
export const transact = async <A>(
  pool: pg.Pool,
  signal: AbortSignal,
  run: (database: Database) => Promise<A>,
  begin = "begin",
): Promise<A> => {
  const client = await pool.connect();
  const plain = databaseOf(client);
  let pid: number | undefined;
  const database: Database = {
    query: (statement, values) => {
      signal.throwIfAborted();
      return plain.query(statement, values);
    },
  };
  const cancel = (): void => {
    // If this fails, so does the connection, and the statement with it.
    if (pid !== undefined) pool.query("select pg_cancel_backend($1::int)", [pid]).catch(() => {});
  };
  signal.addEventListener("abort", cancel, { once: true });
  try {
    await client.query(begin);
    pid = present((await plain.query<{ pid: number }>(PID, []))[0], "a backend has a pid").pid;
    const result = await run(database);
    await client.query("commit");
    client.release();
    return result;
  } catch (error) {
    // A connection on which even this fails cannot be used again.
    await client.query("rollback").then(
      () => client.release(),
      () => client.release(true),
    );
    throw error;
  } finally {
    signal.removeEventListener("abort", cancel);
  }
};
