import { type ClientBase, DatabaseError } from "pg";

import { MigrationsLocked } from "./errors.ts";

/** The advisory lock of a migrating session: "tide" in ASCII. Advisory locks are per database. */
export const MIGRATION_LOCK_KEY = 0x74_69_64_65;

const LOCK_NOT_AVAILABLE = "55P03";

/**
 * Runs `use` while this session holds the migration lock, waiting up to `waitMs` for it. The lock
 * belongs to the session, not to a transaction: it spans the transactions of `use`, and ends with
 * the connection. So it needs a direct connection or a session pool, not a transaction pooler.
 *
 * @throws {MigrationsLocked} if another session holds the lock for longer than `waitMs`
 */
export const withMigrationLock = async <A>(
  client: ClientBase,
  waitMs: number,
  use: () => Promise<A>,
): Promise<A> => {
  await lock(client, waitMs);
  try {
    return await use();
  } finally {
    // Fails only on a dead connection, which has released the lock already; the error of `use` says
    // more.
    await client.query("select pg_advisory_unlock($1)", [MIGRATION_LOCK_KEY]).catch(() => {});
  }
};

const lock = async (client: ClientBase, waitMs: number): Promise<void> => {
  // In a transaction of its own: the timeout ends with the transaction, the session's lock does
  // not.
  await client.query("begin");
  try {
    await client.query("select set_config('lock_timeout', $1, true)", [`${waitMs}ms`]);
    await client.query("select pg_advisory_lock($1)", [MIGRATION_LOCK_KEY]);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    if (error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE) {
      throw new MigrationsLocked(waitMs, await lockHolders(client));
    }
    throw error;
  }
};

const lockHolders = async (client: ClientBase): Promise<ReadonlyArray<string>> => {
  const { rows } = await client.query<{ holder: string }>(
    `select format('pid %s (application "%s", user %s, from %s, connected since %s)', a.pid, a.application_name,
       a.usename, coalesce(host(a.client_addr), 'a local socket'), date_trunc('second', a.backend_start)) as holder
     from pg_locks l join pg_stat_activity a using (pid)
     where l.locktype = 'advisory' and l.granted and a.datname = current_database()
       and l.classid = 0 and l.objid = $1::bigint::oid and l.objsubid = 1`,
    [MIGRATION_LOCK_KEY],
  );
  return rows.map((row) => row.holder);
};
