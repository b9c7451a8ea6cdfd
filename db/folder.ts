import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { MigrationFolderInvalid, messageOf } from "./errors.ts";

/** Where this project keeps its migrations. */
export const MIGRATIONS_DIRECTORY = join(import.meta.dirname, "migrations");

/** One migration as it lies in the folder. */
export interface MigrationFile {
  readonly version: number;
  readonly name: string;
  /** File name without its folder, `NNNN_name.sql`. */
  readonly file: string;
  readonly sql: string;
  /** SHA-256 of the bytes, in hex. */
  readonly checksum: string;
}

/** `NNNN_name.sql`, for a version and name that may no longer have a file. */
export function fileNameOf(version: number, name: string): string {
  return `${versionLabel(version)}_${name}.sql`;
}

/** A version as file names write it: four digits. */
export function versionLabel(version: number): string {
  return String(version).padStart(4, "0");
}

/**
 * Reads all migrations of a folder in order. The numbers must be 0001, 0002, … without gap or duplicate: then
 * two branches that both add "the next" file collide here, not in a database. Only `*.sql` files are looked at.
 *
 * @throws {MigrationFolderInvalid} naming the first file that is wrong
 */
export async function readFolder(directory: string): Promise<MigrationFile[]> {
  const names = await readdir(directory).catch((cause: unknown) => {
    throw new MigrationFolderInvalid(directory, messageOf(cause), cause);
  });
  const sqlNames = names.filter((name) => name.toLowerCase().endsWith(".sql")).toSorted();
  const files = await Promise.all(sqlNames.map((name) => readMigration(directory, name)));
  files.forEach((file, index) => refuseWrongNumber(directory, file, index, files));
  return files;
}

async function readMigration(directory: string, file: string): Promise<MigrationFile> {
  const match = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file);
  if (match === null) {
    throw new MigrationFolderInvalid(directory, `${file} is not named like 0001_lower_case.sql`);
  }
  try {
    const bytes = await readFile(join(directory, file));
    return {
      version: Number(match[1]),
      name: match[2] as string,
      file,
      // Fatal: a character replaced in silence would reach the database under a checksum that looks right.
      sql: new TextDecoder("utf-8", { fatal: true }).decode(bytes),
      checksum: createHash("sha256").update(bytes).digest("hex"),
    };
  } catch (cause) {
    throw new MigrationFolderInvalid(
      directory,
      `${file} cannot be read: ${messageOf(cause)}`,
      cause,
    );
  }
}

function refuseWrongNumber(
  directory: string,
  { version, file }: MigrationFile,
  index: number,
  files: readonly MigrationFile[],
): void {
  const wanted = index + 1;
  const before = files[index - 1];
  if (version === before?.version) {
    throw new MigrationFolderInvalid(directory, `${before.file} and ${file} have the same number`);
  }
  if (version !== wanted) {
    throw new MigrationFolderInvalid(
      directory,
      `${file} should have number ${versionLabel(wanted)}`,
    );
  }
}
