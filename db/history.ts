import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { ClientBase } from "pg";

import { present } from "../core/invariant.ts";
import { type MigrationFile, migrationFileOf, type SqlFile } from "./folder.ts";

const HISTORY_SQL = join(import.meta.dirname, "history.sql");

interface AppliedFile {
  readonly name: string;
  readonly checksum: string;
  readonly appliedAt: Date;
}

/** What this database has, as it records it. */
export interface History {
  /** In the order of their versions. */
  readonly migrations: ReadonlyArray<AppliedFile & { readonly version: number }>;
  /** Every version of every function, the oldest first. */
  readonly functions: ReadonlyArray<AppliedFile>;
}

/** Creates the history tables if they are missing. Call it under the migration lock. */
export const ensureHistory = async (client: ClientBase): Promise<void> => {
  // CREATE SCHEMA IF NOT EXISTS needs the right to create even if there is nothing to do. A role
  // without that right must still be able to find out that the database is up to date.
  if (!(await historyExists(client))) await client.query(await readFile(HISTORY_SQL, "utf8"));
};

/** Reads what was applied; nothing for a database that was never migrated. Writes nothing. */
export const readHistory = async (client: ClientBase): Promise<History> => {
  if (!(await historyExists(client))) return { migrations: [], functions: [] };
  const migrations = await client.query<History["migrations"][number]>(
    `select version, name, checksum, applied_at as "appliedAt"
     from tidemark.schema_migrations order by version`,
  );
  const functions = await client.query<AppliedFile>(
    `select name, checksum, applied_at as "appliedAt"
     from tidemark.schema_functions order by applied_at`,
  );
  return { migrations: migrations.rows, functions: functions.rows };
};

const historyExists = async (client: ClientBase): Promise<boolean> => {
  const { rows } = await client.query<{ found: boolean }>(
    "select to_regclass('tidemark.schema_functions') is not null as found",
  );
  return present(rows[0], "a select without from has a row").found;
};

/** Records a migration as applied, in the transaction that applies it. */
export const recordMigration = async (
  client: ClientBase,
  { version, name, checksum }: MigrationFile,
  durationMs: number,
): Promise<void> => {
  await client.query(
    `insert into tidemark.schema_migrations (version, name, checksum, duration_ms)
     values ($1, $2, $3, $4)`,
    [version, name, checksum, durationMs],
  );
};

/** Records a version of a function as applied, in the transaction that applies it. */
export const recordFunction = async (
  client: ClientBase,
  { name, checksum }: SqlFile,
  durationMs: number,
): Promise<void> => {
  await client.query(
    "insert into tidemark.schema_functions (name, checksum, duration_ms) values ($1, $2, $3)",
    [name, checksum, durationMs],
  );
};

/** How a file of the folder compares with the database. */
export interface FileStatus {
  readonly file: string;
  /**
   * `applied` and `pending` are as they should be. `edited`: the file of a migration changed after
   * it was applied. `missing_file`: applied, but this build does not have it. `outdated_file`: the
   * database has a newer version of the function than this build.
   */
  readonly state: "applied" | "pending" | "edited" | "missing_file" | "outdated_file";
  /** When the version that the database has was applied. */
  readonly appliedAt?: Date;
}

/** Compares migrations with what was applied, in the order of their versions. */
export const compareMigrations = (
  files: ReadonlyArray<MigrationFile>,
  history: History["migrations"],
): ReadonlyArray<FileStatus> => {
  const fileOf = new Map(files.map((file) => [file.version, file]));
  const applied = history.map(({ version, name, checksum, appliedAt }): FileStatus => {
    const file = fileOf.get(version);
    fileOf.delete(version);
    const state =
      file === undefined ? "missing_file" : file.checksum === checksum ? "applied" : "edited";
    return { file: migrationFileOf(version, name), state, appliedAt };
  });
  const pending = [...fileOf.values()].map(({ file }): FileStatus => ({ file, state: "pending" }));
  // File names begin with the version, in four digits.
  return [...applied, ...pending].toSorted((a, b) => (a.file < b.file ? -1 : 1));
};
