import { type ClientBase, DatabaseError } from "pg";

import { ensureShards } from "../adapters/postgres/event_log.ts";
import { databaseOf } from "../adapters/postgres/pool.ts";
import { SessionClient } from "../adapters/postgres/session_client.ts";
import { SHARDS_DEFAULT, SHARDS_MAX } from "../core/event/shard.ts";
import { present } from "../core/invariant.ts";
import { variable, withClient } from "./client.ts";
import {
  BuildOutdated,
  DatabaseEncodingUnfit,
  MigrationEdited,
  MigrationFailed,
  MigrationMissing,
  MigrationOutOfOrder,
} from "./errors.ts";
import {
  DATABASE_FOLDER,
  type DatabaseFolder,
  lineAt,
  readFolder,
  type SqlFile,
} from "./folder.ts";
import { checkFunction, compareFunctions } from "./functions.ts";
import {
  compareMigrations,
  ensureHistory,
  type FileStatus,
  readHistory,
  recordFunction,
  recordMigration,
} from "./history.ts";
import { withMigrationLock } from "./lock.ts";

/** How long to wait for another process that migrates: longer than any migration should take. */
const LOCK_WAIT_MS_DEFAULT = 60_000;

/**
 * How long a statement of a file may wait for a table. DDL that waits for a long transaction makes
 * every later reader wait as well, so it must give up soon. A file can override this with `set
 * local lock_timeout`.
 */
const STATEMENT_LOCK_WAIT_MS = 10_000;

/** How the database compares with this build. */
export interface SchemaStatus {
  readonly migrations: ReadonlyArray<FileStatus>;
  readonly functions: ReadonlyArray<FileStatus>;
}

/** A file that was applied. */
export interface Applied {
  readonly file: string;
  readonly durationMs: number;
}

export interface MigrateOptions {
  /** Folder with `migrations/` and `functions/`; default `db`. */
  readonly directory?: string;
  /** How long to wait for another process that is migrating, in milliseconds; default 60 s. */
  readonly lockWaitMs?: number;
  /** Called after each file is committed. */
  readonly onApplied?: (applied: Applied) => void;
}

/**
 * Brings a database up to date: applies the pending migrations in order, then the functions that
 * are new or changed. Each file has its own transaction, which also records it. Safe to run
 * repeatedly and from several processes at the same time: the others wait, and then find nothing to
 * do.
 *
 * @param database a connection string, or a client outside of any transaction that nothing else
 *   uses meanwhile
 * @returns what it applied
 * @throws {MigrationFolderInvalid} before the database is touched: a gap, a duplicate number or a
 *   bad file name
 * @throws {DatabaseUnreachable} if it cannot connect
 * @throws {DatabaseReadOnly} if the database takes no writes, such as a standby
 * @throws {DatabaseEncodingUnfit} if the database is not in UTF8
 * @throws {MigrationsLocked} if another process does not finish within `lockWaitMs`
 * @throws {MigrationEdited | MigrationMissing | MigrationOutOfOrder | BuildOutdated} before
 *   anything is applied
 * @throws {MigrationFailed} if a file fails: it is rolled back, the files before it stay applied
 */
export const migrate = async (
  database: string | ClientBase,
  {
    directory = DATABASE_FOLDER,
    lockWaitMs = LOCK_WAIT_MS_DEFAULT,
    onApplied,
  }: MigrateOptions = {},
): Promise<ReadonlyArray<Applied>> => {
  const folder = await readFolder(directory);
  return withClient(database, async (client) => {
    if (client instanceof SessionClient && client.readOnly !== undefined) throw client.readOnly;
    await checkEncoding(client);
    return withMigrationLock(client, lockWaitMs, async () => {
      await ensureHistory(client);
      const status = await statusOf(client, folder);
      const problem = problemOf(status);
      if (problem !== undefined) throw problem;
      const applied: Applied[] = [];
      const applyAll = async <File extends SqlFile>(
        files: ReadonlyArray<File>,
        statuses: ReadonlyArray<FileStatus>,
        record: (file: File, durationMs: number) => Promise<void>,
      ): Promise<void> => {
        const pending = new Set(pendingIn(statuses).map(({ file }) => file));
        for (const file of files.filter((each) => pending.has(each.file))) {
          const durationMs = await applyFile(client, file, (ms) => record(file, ms));
          applied.push({ file: file.file, durationMs });
          onApplied?.({ file: file.file, durationMs });
        }
      };
      await applyAll(folder.migrations, status.migrations, (file, durationMs) =>
        recordMigration(client, file, durationMs),
      );
      await applyAll(folder.functions, status.functions, async (file, durationMs) => {
        await checkFunction(client, file);
        await recordFunction(client, file, durationMs);
      });
      return applied;
    });
  });
};

/** Refuses a database that the service would not start on, whoever migrates it. */
const checkEncoding = async (client: ClientBase): Promise<void> => {
  const { rows } = await client.query<{ encoding: string }>(
    "select current_setting('server_encoding') as encoding",
  );
  const { encoding } = present(rows[0], "a setting has a value");
  if (encoding !== "UTF8") throw new DatabaseEncodingUnfit(encoding);
};

/**
 * Applies one file and records it, in one transaction.
 *
 * @returns how long it took, in milliseconds
 * @throws {MigrationFailed} with the line, if Postgres gives one
 */
const applyFile = async (
  client: ClientBase,
  { file, sql }: SqlFile,
  record: (durationMs: number) => Promise<void>,
): Promise<number> => {
  const startedAt = performance.now();
  try {
    await client.query("begin");
    await client.query(`set local lock_timeout = ${STATEMENT_LOCK_WAIT_MS}`);
    const transaction = await transactionId(client);
    // Sent alone and unchanged, so that positions in the server's errors are positions in the file.
    await client.query(sql);
    if ((await transactionId(client)) !== transaction) {
      throw new Error(
        "it ends the runner's transaction: remove COMMIT, ROLLBACK and BEGIN from the file",
      );
    }
    const durationMs = Math.round(performance.now() - startedAt);
    await record(durationMs);
    await client.query("commit");
    return durationMs;
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw new MigrationFailed(file, failedLine(sql, error), error);
  }
};

const transactionId = async (client: ClientBase): Promise<string> => {
  const { rows } = await client.query<{ id: string }>("select pg_current_xact_id()::text as id");
  return present(rows[0], "a transaction has an id").id;
};

const failedLine = (sql: string, error: unknown): number | undefined => {
  const position = error instanceof DatabaseError ? Number(error.position) : Number.NaN;
  return Number.isInteger(position) ? lineAt(sql, position) : undefined;
};

/**
 * Compares the database with this build. Takes no lock and writes nothing, so it can run at any
 * time, on a database that was never migrated as well. `problemOf` turns the result into the error
 * that `migrate` would throw.
 *
 * @param database a connection string or a client
 * @throws {MigrationFolderInvalid} if the folder itself is wrong
 * @throws {DatabaseUnreachable} if it cannot connect
 */
export const schemaStatus = async (
  database: string | ClientBase,
  { directory = DATABASE_FOLDER }: { readonly directory?: string } = {},
): Promise<SchemaStatus> => {
  const folder = await readFolder(directory);
  return withClient(database, (client) => statusOf(client, folder));
};

const statusOf = async (client: ClientBase, folder: DatabaseFolder): Promise<SchemaStatus> => {
  const history = await readHistory(client);
  return {
    migrations: compareMigrations(folder.migrations, history.migrations),
    functions: compareFunctions(folder.functions, history.functions),
  };
};

/** Why this build must not migrate the database; undefined if it may apply what is pending. */
export const problemOf = ({ migrations, functions }: SchemaStatus): Error | undefined => {
  const lastApplied = migrations.findLastIndex(({ state }) => state !== "pending");
  for (const [i, { file, state }] of migrations.entries()) {
    if (state === "edited") return new MigrationEdited(file);
    if (state === "missing_file") return new MigrationMissing(file);
    if (state === "pending" && i < lastApplied) {
      const { file: later } = present(migrations[lastApplied], "the index is of the array");
      return new MigrationOutOfOrder(file, later);
    }
  }
  for (const { file, state, appliedAt } of functions) {
    if (state === "missing_file") return new MigrationMissing(file);
    if (state === "outdated_file") {
      return new BuildOutdated(file, present(appliedAt, "a newer version was applied"));
    }
  }
  return undefined;
};

/** What is left, such as "1 migration and 2 functions are pending"; undefined for nothing. */
export const pendingOf = ({ migrations, functions }: SchemaStatus): string | undefined => {
  const counts = [pendingIn(migrations).length, pendingIn(functions).length] as const;
  const total = counts[0] + counts[1];
  return total === 0 ? undefined : `${numbered(...counts)} ${total === 1 ? "is" : "are"} pending`;
};

/** Such as "1 migration and 2 functions", without what there is none of. */
export const numbered = (migrations: number, functions: number): string =>
  [
    ...(migrations > 0 ? [`${migrations} ${migrations === 1 ? "migration" : "migrations"}`] : []),
    ...(functions > 0 ? [`${functions} ${functions === 1 ? "function" : "functions"}`] : []),
  ].join(" and ");

/** Whether nothing was ever applied to the database. */
export const isUnmigrated = ({ migrations }: SchemaStatus): boolean =>
  migrations.every(({ state }) => state === "pending");

const pendingIn = (statuses: ReadonlyArray<FileStatus>): ReadonlyArray<FileStatus> =>
  statuses.filter(({ state }) => state === "pending");

/** The number of shards of a log, and whether they were just created. */
interface Shards {
  readonly shards: number;
  readonly isNew: boolean;
}

/**
 * Creates the shards of a new log, as many as SHARDS says. Services that may not change the schema
 * rely on it.
 *
 * @throws {Error} if SHARDS is not a valid number, or differs from the log's
 */
export const createShards = async (url: string): Promise<Shards> => {
  const setting = variable("SHARDS");
  const wanted = Number(setting ?? SHARDS_DEFAULT);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > SHARDS_MAX) {
    throw new Error(`SHARDS must be a whole number from 1 to ${SHARDS_MAX}.`);
  }
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ shards: number }>(
      "select count(*)::int as shards from tidemark.log_heads",
    );
    const { shards } = present(rows[0], "a count has a row");
    const isNew = shards === 0;
    if (isNew || setting !== undefined) await ensureShards(databaseOf(client), wanted);
    return { shards: isNew ? wanted : shards, isNew };
  });
};
