import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { ClientBase } from "pg";

import { withClient } from "./client.ts";
import { ApplicationRoleMissing, DatabasesDiffer, DatabaseUnreachable } from "./errors.ts";
import { withMigrationLock } from "./lock.ts";

const GRANT_SQL = join(import.meta.dirname, "application_role.sql");
const EXCESS_SQL = join(import.meta.dirname, "excess_rights.sql");

/** How long to wait for somebody who migrates. */
const LOCK_WAIT_MS = 60_000;

interface ApplicationRoleOptions {
  /** Whether the role may write API keys and quotas; undefined leaves that as it was said before, which at first is no. */
  readonly administersKeys?: boolean | undefined;
}

/**
 * Gives a role all that a service needs of a migrated database, of what is there and of what the same migrating role
 * creates in the same schemas later, and takes every other right on it away. May be repeated. Returns what the role
 * may do all the same, a clause each; nothing for a role as it should be.
 *
 * @param database a connection string of the role that migrates
 * @throws {ApplicationRoleMissing} when there is no such role
 * @throws {DatabaseUnreachable | MigrationsLocked}
 */
export async function grantApplicationRole(
  database: string,
  role: string,
  { administersKeys }: ApplicationRoleOptions = {},
): Promise<string[]> {
  return withClient(database, (client) =>
    withMigrationLock(client, LOCK_WAIT_MS, async () => {
      const { rowCount } = await client.query("SELECT FROM pg_roles WHERE rolname = $1", [role]);
      if (rowCount === 0) throw new ApplicationRoleMissing(role);
      await grant(client, role, administersKeys);
      const { rows } = await client.query<{ what: string }>(await readFile(EXCESS_SQL, "utf8"), [
        role,
      ]);
      return rows.map(({ what }) => what);
    }),
  );
}

const ADMINISTERS_KEYS =
  "INSERT INTO tidemark.key_administrators (role_name) VALUES ($1) ON CONFLICT DO NOTHING";
const ONLY_READS_KEYS = "DELETE FROM tidemark.key_administrators WHERE role_name = $1";

async function grant(
  client: ClientBase,
  role: string,
  administersKeys: boolean | undefined,
): Promise<void> {
  await client.query("BEGIN");
  try {
    if (administersKeys !== undefined) {
      await client.query(administersKeys ? ADMINISTERS_KEYS : ONLY_READS_KEYS, [role]);
    }
    await client.query("SELECT set_config('tidemark.application_role', $1, true)", [role]);
    await client.query(await readFile(GRANT_SQL, "utf8"));
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
}

interface Session {
  readonly role: string;
  /** Which database it is on, of all that there are. */
  readonly database: string;
}

/**
 * The role that a service has on its database, if it is another one than the role that migrates.
 *
 * @throws {DatabasesDiffer} when the two URLs are not of one database
 */
export async function applicationRoleOf(
  url: string,
  migrationUrl: string,
): Promise<string | undefined> {
  const service = await session(url, "DATABASE_URL");
  const migration = await session(migrationUrl, "MIGRATION_DATABASE_URL");
  if (service.database !== migration.database) throw new DatabasesDiffer();
  return service.role === migration.role ? undefined : service.role;
}

async function session(url: string, setting: string): Promise<Session> {
  try {
    return await withClient(url, async (client) => {
      const { rows } = await client.query<Session>(
        `SELECT current_user AS role, format('%s of %s', oid, extract(epoch FROM pg_postmaster_start_time())) AS database
           FROM pg_database WHERE datname = current_database()`,
      );
      return rows[0] ?? { role: "", database: "" };
    });
  } catch (error) {
    throw error instanceof DatabaseUnreachable
      ? new DatabaseUnreachable(error.cause, setting)
      : error;
  }
}
