import { messageOf } from "../../db/errors.ts";

/** Says what went wrong, and what to do where that is known. */
export const explain = (error: unknown): string => {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return isUnknownTable(cause)
    ? "The database is not migrated to this version: npm run migrate"
    : messageOf(cause);
};

/** An unknown table or schema. */
const isUnknownTable = (error: unknown): boolean =>
  error instanceof Error && "code" in error && ["42P01", "3F000"].includes(String(error.code));
