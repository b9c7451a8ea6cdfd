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

/**
 * Gives a role all that a service needs of a migrated database, today's objects and those that the same
 * migrating role creates later, but no right to change the schema. May be repeated. Returns what the role
 * may do beside that, a clause each; nothing for a role as it should be.
 *
 * @param database a connection string of the role that migrates
 * @throws {ApplicationRoleMissing} when there is no such role
 * @throws {DatabaseUnreachable | MigrationsLocked}
 */
export async function grantApplicationRole(database: string, role: string): Promise<string[]> {
  return withClient(database, (client) =>
    withMigrationLock(client, LOCK_WAIT_MS, async () => {
      const { rowCount } = await client.query("SELECT FROM pg_roles WHERE rolname = $1", [role]);
      if (rowCount === 0) throw new ApplicationRoleMissing(role);
      await grant(client, role);
      const { rows } = await client.query<{ what: string }>(await readFile(EXCESS_SQL, "utf8"), [
        role,
      ]);
      return rows.map(({ what }) => what);
    }),
  );
}

async function grant(client: ClientBase, role: string): Promise<void> {
  await client.query("BEGIN");
  try {
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
