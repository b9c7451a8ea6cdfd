import { DatabaseError } from "pg";

import { remedyOf } from "../adapters/postgres/errors.ts";
import { DatabaseUnreachable, sentenceOf } from "./errors.ts";

/** Said where the schema is older than this build, or not there at all. */
export const NOT_MIGRATED =
  "The database does not have the tables of this version yet: run npm run migrate, or npm start, which does so first";

/** Says in one sentence what went wrong on a database, and what to do where that is known. */
export const explainDatabaseError = (error: unknown): string => {
  const cause = rootOf(error);
  if (isNotMigrated(cause)) return NOT_MIGRATED;
  if (isUnreachable(cause)) return new DatabaseUnreachable(cause).message;
  const hint = cause instanceof DatabaseError ? cause.hint : undefined;
  return hint === undefined ? sentenceOf(cause) : `${sentenceOf(cause)}. ${hint}`;
};

/** What a station found, whose own errors have names and no messages; else the error itself. */
const rootOf = (error: unknown): unknown =>
  error instanceof Error && "_tag" in error && error.cause !== undefined ? error.cause : error;

/** An unknown table, schema or function, or pg-boss without its schema. */
export const isNotMigrated = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  return "code" in error
    ? ["42P01", "3F000", "42883"].includes(String(error.code))
    : error.message === "pg-boss is not installed";
};

/** No connection: refused, of an unknown host or database, or with a wrong password. */
const isUnreachable = (error: unknown): boolean => {
  if (!(error instanceof Error) || error instanceof DatabaseUnreachable) return false;
  if (error instanceof AggregateError) return error.errors.some(isUnreachable);
  return error instanceof DatabaseError
    ? /^(?:08|28|3D|57P0)/.test(error.code ?? "")
    : remedyOf(error) !== "mend";
};
