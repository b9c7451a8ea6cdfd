import type { ClientBase } from "pg";

import { SessionClient } from "../adapters/postgres/session_client.ts";
import { applyFile } from "./apply.ts";
import { withClient } from "./client.ts";
import { compare, problemOf } from "./compare.ts";
import { DatabaseEncodingUnfit } from "./errors.ts";
import { type MigrationFile, MIGRATIONS_DIRECTORY, readFolder } from "./folder.ts";
import { ensureHistory, readHistory } from "./history.ts";
import { withMigrationLock } from "./lock.ts";

/** Longer than any migration should take: who waits here waits for another process to finish its run. */
const LOCK_WAIT_MS_DEFAULT = 60_000;

/** One migration that this run applied. */
export interface Applied {
  readonly version: number;
  readonly name: string;
  readonly file: string;
  readonly durationMs: number;
}

export interface MigrateOptions {
  /** Folder of `NNNN_name.sql` files; default `db/migrations`. */
  readonly directory?: string;
  /** How long to wait for another process that is migrating, in milliseconds; default 60 s. */
  readonly lockWaitMs?: number;
  /** Called after each file is committed. */
  readonly onApplied?: (applied: Applied) => void;
}

/**
 * Brings a database up to date: applies the pending files in order of their number, each in a transaction of its
 * own together with its row in `tidemark.schema_migrations`, and returns what it applied. Safe to run any number of
 * times and from any number of processes at once: the others wait and then find nothing to do.
 *
 * @param database a connection string, or a client outside any transaction that nothing else uses meanwhile
 * @throws {MigrationFolderInvalid} before the database is touched: a gap, a duplicate number or a bad file name
 * @throws {DatabaseUnreachable} when there is no connection
 * @throws {DatabaseReadOnly} when the database takes no writes, such as a standby
 * @throws {DatabaseEncodingUnfit} when the database is not in UTF8
 * @throws {MigrationsLocked} when another process does not finish within `lockWaitMs`
 * @throws {MigrationEdited | MigrationMissing | MigrationOutOfOrder} before anything is applied
 * @throws {MigrationFailed} when a file fails: nothing of it stays, the files before it do
 */
export async function migrate(
  database: string | ClientBase,
  options: MigrateOptions = {},
): Promise<Applied[]> {
  const files = await readFolder(options.directory ?? MIGRATIONS_DIRECTORY);
  return withClient(database, async (client) => {
    if (client instanceof SessionClient && client.readOnly !== undefined) throw client.readOnly;
    await checkEncoding(client);
    return withMigrationLock(client, options.lockWaitMs ?? LOCK_WAIT_MS_DEFAULT, async () => {
      await ensureHistory(client);
      const applied: Applied[] = [];
      for (const file of await pendingFiles(client, files)) {
        const { version, name } = file;
        const one: Applied = {
          version,
          name,
          file: file.file,
          durationMs: await applyFile(client, file),
        };
        applied.push(one);
        options.onApplied?.(one);
      }
      return applied;
    });
  });
}

/** Whoever migrates, the service would refuse to start on it, and seed would fill it. */
async function checkEncoding(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ server_encoding: string }>("SHOW server_encoding");
  const encoding = rows[0]?.server_encoding;
  if (encoding !== "UTF8") throw new DatabaseEncodingUnfit(encoding);
}

async function pendingFiles(
  client: ClientBase,
  files: readonly MigrationFile[],
): Promise<MigrationFile[]> {
  const statuses = compare(files, await readHistory(client));
  const problem = problemOf(statuses);
  if (problem !== undefined) {
    throw problem;
  }
  const pending = new Set(
    statuses.filter(({ state }) => state === "pending").map(({ version }) => version),
  );
  return files.filter(({ version }) => pending.has(version));
}
