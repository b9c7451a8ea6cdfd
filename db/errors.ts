import { DatabaseError } from "pg";

import { messageOf } from "../core/printable.ts";

export { messageOf } from "../core/printable.ts";

/** No connection: the server is away, refuses us, or the connection string is no good. */
export class DatabaseUnreachable extends Error {
  override readonly name = "DatabaseUnreachable";
  /** The variable with the connection string. */
  readonly setting: string;

  constructor(cause: unknown, setting = "DATABASE_URL") {
    super(`The database cannot be reached: ${messageOf(cause)}`, { cause });
    this.setting = setting;
  }
}

/** The database's encoding cannot hold every text that JSON can. */
export class DatabaseEncodingUnfit extends Error {
  override readonly name = "DatabaseEncodingUnfit";

  constructor(encoding: string | undefined) {
    super(
      `The database has the encoding ${encoding}, which cannot hold every event that is accepted. Use one with UTF8: ` +
        "create database tidemark encoding 'UTF8' template template0",
    );
  }
}

/** The migrations folder itself is wrong: a bad name, a gap, a duplicate number, an unreadable file. */
export class MigrationFolderInvalid extends Error {
  override readonly name = "MigrationFolderInvalid";
  readonly directory: string;

  constructor(directory: string, reason: string, cause?: unknown) {
    super(`The migrations in ${directory} are invalid: ${reason}`, { cause });
    this.directory = directory;
  }
}

/** A file that the database has already applied has different bytes now. */
export class MigrationEdited extends Error {
  override readonly name = "MigrationEdited";
  readonly file: string;

  constructor(file: string) {
    super(
      `${file} was edited after it was applied: the database does not have what it says now. ` +
        "Restore the file as it was and write the change as a new migration.",
    );
    this.file = file;
  }
}

/** The database has applied a migration that this build has no file for. */
export class MigrationMissing extends Error {
  override readonly name = "MigrationMissing";
  readonly file: string;

  constructor(file: string) {
    super(
      `The database has applied ${file}, which this build does not have: ` +
        "the build is older than the database. Run a build that contains the file.",
    );
    this.file = file;
  }
}

/** A file is pending although a later one is applied, so the order of the files was not kept. */
export class MigrationOutOfOrder extends Error {
  override readonly name = "MigrationOutOfOrder";
  readonly file: string;
  readonly appliedFile: string;

  constructor(file: string, appliedFile: string) {
    super(
      `${file} is not applied but the later ${appliedFile} is: migrations run in order only. ` +
        "Give the new file the next free number.",
    );
    this.file = file;
    this.appliedFile = appliedFile;
  }
}

/** A file failed and was rolled back. `line` counts from 1 and is absent where Postgres gave no position. */
export class MigrationFailed extends Error {
  override readonly name = "MigrationFailed";
  readonly file: string;
  readonly line: number | undefined;
  /** SQLSTATE, absent when the failure did not come from the server. */
  readonly code: string | undefined;

  constructor(file: string, line: number | undefined, cause: unknown) {
    const code = cause instanceof DatabaseError ? cause.code : undefined;
    // A failure at run time (in a DO block, say) has no position in the file, but says where in the block.
    const where = cause instanceof DatabaseError ? cause.where?.split("\n")[0] : undefined;
    super(
      `${file} failed${line === undefined ? "" : ` at line ${line}`}: ${messageOf(cause)}` +
        `${code === undefined ? "" : ` (SQLSTATE ${code})`}${where === undefined ? "" : `, in ${where}`}. ` +
        "It was not recorded; the files before it stay applied.",
      { cause },
    );
    this.file = file;
    this.line = line;
    this.code = code;
  }
}

/** Another process held the migration lock for longer than we were willing to wait. */
export class MigrationsLocked extends Error {
  override readonly name = "MigrationsLocked";
  readonly waitedMs: number;
  /** Who held the lock when we gave up, one phrase a session. */
  readonly holders: readonly string[];

  constructor(waitedMs: number, holders: readonly string[]) {
    super(
      `Another process is migrating this database; waited ${waitedMs} ms for it. The lock is held by ` +
        `${holders.length === 0 ? "nobody any more, so try again" : holders.join(" and ")}.`,
    );
    this.waitedMs = waitedMs;
    this.holders = holders;
  }
}

/** pg-boss could not bring its schema to the version that this build wants. */
export class QueueSchemaFailed extends Error {
  override readonly name = "QueueSchemaFailed";
  readonly schema: string;

  constructor(schema: string, reason: string, cause?: unknown) {
    super(`The queue schema ${schema} could not be installed: ${reason}`, { cause });
    this.schema = schema;
  }
}

/** The role that is to be given rights is none. */
export class ApplicationRoleMissing extends Error {
  override readonly name = "ApplicationRoleMissing";

  constructor(role: string) {
    super(
      `There is no role ${role}. Create it first, such as with: create role ${role} login password '…'`,
    );
  }
}

/** DATABASE_URL and MIGRATION_DATABASE_URL are of two databases. */
export class DatabasesDiffer extends Error {
  override readonly name = "DatabasesDiffer";

  constructor() {
    super(
      "MIGRATION_DATABASE_URL is of another database than DATABASE_URL: the two may differ in the role alone.",
    );
  }
}

/** `messageOf` as a sentence: Postgres starts its messages in lower case. */
export function sentenceOf(error: unknown): string {
  const message = messageOf(error);
  if (!(error instanceof DatabaseError)) return message;
  return message.slice(0, 1).toUpperCase() + message.slice(1);
}
