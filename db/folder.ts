import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { messageOf } from "../core/printable.ts";
import { MigrationFolderInvalid } from "./errors.ts";

/** The folder with `migrations/` and `functions/` of this project. */
export const DATABASE_FOLDER = import.meta.dirname;

/** A file that the runner applies. */
export interface SqlFile {
  /** Path in the folder, as messages name it: `0001_log.sql`, or `functions/append.sql`. */
  readonly file: string;
  /** File name without number and ending. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the bytes, in hex. */
  readonly checksum: string;
}

export interface MigrationFile extends SqlFile {
  readonly version: number;
}

export interface DatabaseFolder {
  readonly migrations: ReadonlyArray<MigrationFile>;
  readonly functions: ReadonlyArray<SqlFile>;
}

/** `NNNN_name.sql`, for a version and name that may no longer have a file. */
export const migrationFileOf = (version: number, name: string): string =>
  `${versionLabel(version)}_${name}.sql`;

/** `functions/name.sql`, for a function that may no longer have a file. */
export const functionFileOf = (name: string): string => `functions/${name}.sql`;

const versionLabel = (version: number): string => String(version).padStart(4, "0");

/**
 * Reads `migrations/NNNN_name.sql` in order, and `functions/name.sql`. Numbers must be 0001, 0002,
 * … without gap or duplicate: two branches that both add "the next" file then collide here, not in
 * a database. Ignores files that do not end in `.sql`.
 *
 * @throws {MigrationFolderInvalid} naming the first invalid file
 */
export const readFolder = async (directory: string): Promise<DatabaseFolder> => {
  const migrations = await readMigrations(join(directory, "migrations"));
  return { migrations, functions: await readFunctions(join(directory, "functions")) };
};

const readMigrations = async (directory: string): Promise<ReadonlyArray<MigrationFile>> => {
  const names = await namesIn(directory);
  const files = await Promise.all(
    names.map(async (file): Promise<MigrationFile> => {
      const [, number, name] = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file) ?? [];
      if (number === undefined || name === undefined) {
        throw new MigrationFolderInvalid(
          directory,
          `${file} is not named like 0001_lower_case.sql`,
        );
      }
      return { version: Number(number), name, file, ...(await readSql(directory, file)) };
    }),
  );
  for (const [i, { version, file }] of files.entries()) {
    const before = files[i - 1];
    if (version === before?.version) {
      const reason = `${before.file} and ${file} have the same number`;
      throw new MigrationFolderInvalid(directory, reason);
    }
    if (version !== i + 1) {
      const reason = `${file} should have number ${versionLabel(i + 1)}`;
      throw new MigrationFolderInvalid(directory, reason);
    }
  }
  return files;
};

const readFunctions = async (directory: string): Promise<ReadonlyArray<SqlFile>> =>
  Promise.all(
    (await namesIn(directory)).map(async (file): Promise<SqlFile> => {
      const [, name] = /^([a-z0-9_]+)\.sql$/.exec(file) ?? [];
      if (name === undefined) {
        throw new MigrationFolderInvalid(directory, `${file} is not named like lower_case.sql`);
      }
      return { name, file: functionFileOf(name), ...(await readSql(directory, file)) };
    }),
  );

const namesIn = async (directory: string): Promise<ReadonlyArray<string>> => {
  const names = await readdir(directory).catch((cause: unknown) => {
    throw new MigrationFolderInvalid(directory, messageOf(cause), cause);
  });
  return names.filter((name) => name.toLowerCase().endsWith(".sql")).toSorted();
};

const readSql = async (
  directory: string,
  file: string,
): Promise<Pick<SqlFile, "sql" | "checksum">> => {
  try {
    const bytes = await readFile(join(directory, file));
    return {
      // Fatal: a silently replaced character would reach the database under a checksum that looks
      // right.
      sql: new TextDecoder("utf-8", { fatal: true }).decode(bytes),
      checksum: createHash("sha256").update(bytes).digest("hex"),
    };
  } catch (cause) {
    const reason = `${file} cannot be read: ${messageOf(cause)}`;
    throw new MigrationFolderInvalid(directory, reason, cause);
  }
};

/**
 * The line, from 1, of the character at `position`. Postgres counts characters from 1. A character
 * outside the basic plane is one to Postgres and two to a JavaScript string, so this counts code
 * points.
 */
export const lineAt = (text: string, position: number): number => {
  const before = Array.from(text).slice(0, position - 1);
  return 1 + before.filter((character) => character === "\n").length;
};
