import { DatabaseError } from "pg";

import { remedyOf } from "../adapters/postgres/errors.ts";
import { messageOf } from "../core/printable.ts";

/** No connection: the server is down or refuses us, or the connection string is wrong. */
export class DatabaseUnreachable extends Error {
  override readonly name = "DatabaseUnreachable";
  /** The variable with the connection string. */
  readonly setting: string;

  constructor(cause: unknown, setting = "DATABASE_URL") {
    super(`The database cannot be reached: ${messageOf(cause)}`, { cause });
    this.setting = setting;
  }
}

/** The database's encoding cannot store every text that JSON can contain. */
export class DatabaseEncodingUnfit extends Error {
  override readonly name = "DatabaseEncodingUnfit";

  constructor(encoding: string | undefined) {
    super(
      `The database has the encoding ${encoding}, which cannot store every event that is accepted. Use UTF8: ` +
        "create database tidemark encoding 'UTF8' template template0",
    );
  }
}

/** The folder itself is wrong: a bad name, a gap, a duplicate number, an unreadable file. */
export class MigrationFolderInvalid extends Error {
  override readonly name = "MigrationFolderInvalid";
  readonly directory: string;

  constructor(directory: string, reason: string, cause?: unknown) {
    super(`The SQL files in ${directory} are invalid: ${reason}`, { cause });
    this.directory = directory;
  }
}

/** A migration changed after it was applied. */
export class MigrationEdited extends Error {
  override readonly name = "MigrationEdited";
  readonly file: string;

  constructor(file: string) {
    super(
      `${file} was edited after it was applied to this database. ` +
        "Restore the file and write the change as a new migration.",
    );
    this.file = file;
  }
}

/** The database has a migration or function that this build has no file for. */
export class MigrationMissing extends Error {
  override readonly name = "MigrationMissing";
  readonly file: string;

  constructor(file: string) {
    super(
      `The database has ${file}, which this build does not have: the build is older than the database. ` +
        "Run a build that contains the file.",
    );
    this.file = file;
  }
}

/** A newer build has replaced a function of this build. */
export class BuildOutdated extends Error {
  override readonly name = "BuildOutdated";
  readonly file: string;

  constructor(file: string, replacedAt: Date) {
    super(
      `The database has a newer version of ${file}, applied ${replacedAt.toISOString()}: ` +
        "the build is older than the database. Run the newer build. " +
        "To return to an earlier version of a function on purpose, change its file, if only a comment.",
    );
    this.file = file;
  }
}

/** A migration is pending although a later one is applied. */
export class MigrationOutOfOrder extends Error {
  override readonly name = "MigrationOutOfOrder";
  readonly file: string;
  readonly appliedFile: string;

  constructor(file: string, appliedFile: string) {
    super(
      `${file} is pending, but the later ${appliedFile} is applied: migrations run in order only. ` +
        "Give the new file the next free number.",
    );
    this.file = file;
    this.appliedFile = appliedFile;
  }
}

/** A file failed and was rolled back. `line` counts from 1, if Postgres gave a position. */
export class MigrationFailed extends Error {
  override readonly name = "MigrationFailed";
  readonly file: string;
  readonly line: number | undefined;
  /** SQLSTATE; undefined if the failure did not come from the server. */
  readonly code: string | undefined;

  constructor(file: string, line: number | undefined, cause: unknown) {
    const code = cause instanceof DatabaseError ? cause.code : undefined;
    // A failure at run time, in a DO block for example, has no position in the file but one in the
    // block.
    const where = cause instanceof DatabaseError ? cause.where?.split("\n")[0] : undefined;
    super(
      `${file} failed${line === undefined ? "" : ` at line ${line}`}: ${messageOf(cause)}` +
        `${code === undefined ? "" : ` (SQLSTATE ${code})`}${where === undefined ? "" : `, in ${where}`}. ` +
        "It was rolled back; the files before it stay applied.",
      { cause },
    );
    this.file = file;
    this.line = line;
    this.code = code;
  }
}

/** Another process held the migration lock for longer than we wait. */
export class MigrationsLocked extends Error {
  override readonly name = "MigrationsLocked";
  readonly waitedMs: number;
  /** The sessions that held the lock when we gave up, one phrase each. */
  readonly holders: ReadonlyArray<string>;

  constructor(waitedMs: number, holders: ReadonlyArray<string>) {
    const held =
      holders.length === 0
        ? "The lock is free now; try again."
        : `The lock is held by ${holders.join(" and ")}.`;
    super(`Another process is migrating this database; gave up after ${waitedMs} ms. ${held}`);
    this.waitedMs = waitedMs;
    this.holders = holders;
  }
}

/** pg-boss could not bring its schema to the version that this build needs. */
export class QueueSchemaFailed extends Error {
  override readonly name = "QueueSchemaFailed";

  constructor(schema: string, cause: unknown) {
    super(`The queue schema ${schema} could not be installed: ${messageOf(cause)}`, { cause });
  }
}

/** The role that should get rights does not exist. */
export class ApplicationRoleMissing extends Error {
  override readonly name = "ApplicationRoleMissing";

  constructor(role: string) {
    super(
      `The role ${role} does not exist. Create it first, for example: create role ${role} login password '…'`,
    );
  }
}

/** DATABASE_URL and MIGRATION_DATABASE_URL name different databases. */
export class DatabasesDiffer extends Error {
  override readonly name = "DatabasesDiffer";

  constructor() {
    super(
      "MIGRATION_DATABASE_URL and DATABASE_URL name different databases. They may differ in the role only.",
    );
  }
}

/** The message of an error as a sentence: a server begins its messages in lower case. */
export const sentenceOf = (error: unknown): string => {
  const message = messageOf(error);
  if (!(error instanceof DatabaseError)) return message;
  return message.slice(0, 1).toUpperCase() + message.slice(1);
};

/** Printed if the schema is older than this build, or does not exist. */
export const NOT_MIGRATED =
  "The database does not have the tables of this version yet: run npm run migrate, or npm start, which does so first";

/** Says in one sentence what went wrong on a database, and how to mend it if that is known. */
export const explainDatabaseError = (error: unknown): string => {
  const cause = rootOf(error);
  if (isNotMigrated(cause)) return NOT_MIGRATED;
  if (isUnreachable(cause)) return new DatabaseUnreachable(cause).message;
  const hint = cause instanceof DatabaseError ? cause.hint : undefined;
  return hint === undefined ? sentenceOf(cause) : `${sentenceOf(cause)}. ${hint}`;
};

/** The cause of a port's error, which has a name and no message; else the error itself. */
const rootOf = (error: unknown): unknown =>
  error instanceof Error && "_tag" in error && error.cause !== undefined ? error.cause : error;

/** An unknown table, schema or function, or pg-boss without its schema. */
export const isNotMigrated = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  return "code" in error
    ? ["42P01", "3F000", "42883"].includes(String(error.code))
    : error.message === "pg-boss is not installed";
};

/** No connection: refused, an unknown host or database, or a wrong password. */
const isUnreachable = (error: unknown): boolean => {
  if (!(error instanceof Error) || error instanceof DatabaseUnreachable) return false;
  if (error instanceof AggregateError) return error.errors.some(isUnreachable);
  return error instanceof DatabaseError
    ? /^(?:08|28|3D|57P0)/.test(error.code ?? "")
    : remedyOf(error) !== "mend";
};
