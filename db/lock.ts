import { type ClientBase, DatabaseError } from "pg";

import { MigrationsLocked } from "./errors.ts";

/** The advisory lock that only a migrating session holds: "tide" in ASCII. Advisory locks are per database. */
export const MIGRATION_LOCK_KEY = 0x74_69_64_65;

const LOCK_NOT_AVAILABLE = "55P03";

/**
 * Runs `use` while this session holds the migration lock, waiting up to `waitMs` for it. The lock belongs to the
 * session, not to a transaction, so it spans the transactions of `use` and is gone when the connection is.
 * (So it needs a direct connection or a session pool, not a transaction pooler.)
 *
 * @throws {MigrationsLocked} when another session keeps the lock for longer than `waitMs`
 */
export async function withMigrationLock<A>(
  client: ClientBase,
  waitMs: number,
  use: () => Promise<A>,
): Promise<A> {
  await lock(client, waitMs);
  try {
    return await use();
  } finally {
    // Fails only on a dead connection, which has released the lock already and has a better error to report.
    await client.query("SELECT pg_advisory_unlock($1)", [MIGRATION_LOCK_KEY]).catch(() => {});
  }
}

async function lock(client: ClientBase, waitMs: number): Promise<void> {
  // SET LOCAL in a transaction of its own: the limit ends with the transaction, the session's lock does not.
  await client.query("BEGIN");
  try {
    await client.query("SELECT set_config('lock_timeout', $1, true)", [`${waitMs}ms`]);
    await client.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK_KEY]);
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    if (error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE) {
      throw new MigrationsLocked(waitMs, await lockHolders(client));
    }
    throw error;
  }
}

async function lockHolders(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ holder: string }>(
    `SELECT format('pid %s (application "%s", user %s, from %s, connected since %s)', a.pid, a.application_name,
                   a.usename, coalesce(host(a.client_addr), 'a local socket'), date_trunc('second', a.backend_start)) AS holder
       FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()
        AND l.classid = 0 AND l.objid = $1::bigint::oid AND l.objsubid = 1`,
    [MIGRATION_LOCK_KEY],
  );
  return rows.map((row) => row.holder);
}
