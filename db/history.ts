import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { ClientBase } from "pg";

import type { MigrationFile } from "./folder.ts";

const HISTORY_SQL = join(import.meta.dirname, "schema_migrations.sql");

/** One applied migration, as the database remembers it. */
export interface HistoryRow {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly appliedAt: Date;
}

/** Creates the schema and the history table if they are missing. Call it under the migration lock. */
export async function ensureHistory(client: ClientBase): Promise<void> {
  // CREATE SCHEMA IF NOT EXISTS wants the right to create even when there is nothing to do:
  // an app that may not run DDL must still be able to find out that it is up to date.
  if (!(await historyExists(client))) {
    await client.query(await readFile(HISTORY_SQL, "utf8"));
  }
}

/** What has been applied, in order; nothing for a database that was never migrated. Writes nothing. */
export async function readHistory(client: ClientBase): Promise<HistoryRow[]> {
  if (!(await historyExists(client))) {
    return [];
  }
  const { rows } = await client.query<HistoryRow>(
    `SELECT version, name, checksum, applied_at AS "appliedAt" FROM tidemark.schema_migrations ORDER BY version`,
  );
  return rows;
}

/** Records a file as applied, within the transaction that applies it. */
export async function recordApplied(
  client: ClientBase,
  file: MigrationFile,
  durationMs: number,
): Promise<void> {
  await client.query(
    "INSERT INTO tidemark.schema_migrations (version, name, checksum, duration_ms) VALUES ($1, $2, $3, $4)",
    [file.version, file.name, file.checksum, durationMs],
  );
}

async function historyExists(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    "SELECT to_regclass('tidemark.schema_migrations') IS NOT NULL AS found",
  );
  return rows[0]?.found === true;
}
