import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { ClientBase } from "pg";

import { present } from "../core/invariant.ts";
import { withClient } from "./client.ts";
import { ApplicationRoleMissing, DatabasesDiffer, DatabaseUnreachable } from "./errors.ts";
import { withMigrationLock } from "./lock.ts";

const GRANT_SQL = join(import.meta.dirname, "application_role.sql");
const EXCESS_SQL = join(import.meta.dirname, "excess_rights.sql");

/** How long to wait for another process that migrates. */
const LOCK_WAIT_MS = 60_000;

interface ApplicationRoleOptions {
  /**
   * Whether the role may write API keys and quotas; undefined leaves that as it is. At first it may
   * not.
   */
  readonly administersKeys?: boolean | undefined;
}

/**
 * Grants a role everything that a service needs of a migrated database, including what the same
 * migrating role creates in the same schemas later, and revokes every other right. Can be repeated.
 *
 * @param database a connection string of the role that migrates
 * @returns the rights that the role still has beyond that, a clause each; empty for a role as it
 *   should be
 * @throws {ApplicationRoleMissing} if there is no such role
 * @throws {DatabaseUnreachable | MigrationsLocked}
 */
export const grantApplicationRole = async (
  database: string,
  role: string,
  { administersKeys }: ApplicationRoleOptions = {},
): Promise<ReadonlyArray<string>> =>
  withClient(database, (client) =>
    withMigrationLock(client, LOCK_WAIT_MS, async () => {
      const { rowCount } = await client.query("select from pg_roles where rolname = $1", [role]);
      if (rowCount === 0) throw new ApplicationRoleMissing(role);
      await grant(client, role, administersKeys);
      const excess = await readFile(EXCESS_SQL, "utf8");
      const { rows } = await client.query<{ what: string }>(excess, [role]);
      return rows.map(({ what }) => what);
    }),
  );

const ADMINISTERS_KEYS =
  "insert into tidemark.key_administrators (role_name) values ($1) on conflict do nothing";
const ONLY_READS_KEYS = "delete from tidemark.key_administrators where role_name = $1";

const grant = async (
  client: ClientBase,
  role: string,
  administersKeys: boolean | undefined,
): Promise<void> => {
  await client.query("begin");
  try {
    if (administersKeys !== undefined) {
      await client.query(administersKeys ? ADMINISTERS_KEYS : ONLY_READS_KEYS, [role]);
    }
    await client.query("select set_config('tidemark.application_role', $1, true)", [role]);
    await client.query(await readFile(GRANT_SQL, "utf8"));
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
};

interface Session {
  readonly role: string;
  /** Identifies the database among all databases of all servers. */
  readonly database: string;
}

/**
 * The role of the service, if another role migrates.
 *
 * @throws {DatabasesDiffer} if the two URLs name different databases
 */
export const applicationRoleOf = async (
  url: string,
  migrationUrl: string,
): Promise<string | undefined> => {
  const service = await sessionOf(url, "DATABASE_URL");
  const migration = await sessionOf(migrationUrl, "MIGRATION_DATABASE_URL");
  if (service.database !== migration.database) throw new DatabasesDiffer();
  return service.role === migration.role ? undefined : service.role;
};

const sessionOf = async (url: string, setting: string): Promise<Session> => {
  try {
    return await withClient(url, async (client) => {
      const { rows } = await client.query<Session>(
        `select current_user as role,
           format('%s of %s', oid, extract(epoch from pg_postmaster_start_time())) as database
         from pg_database where datname = current_database()`,
      );
      return present(rows[0], "a session has a database");
    });
  } catch (error) {
    throw error instanceof DatabaseUnreachable
      ? new DatabaseUnreachable(error.cause, setting)
      : error;
  }
};
