import { DatabaseError } from "pg";

import { DatabaseUnreachable, messageOf, MigrationsLocked } from "../db/errors.ts";

// Classes of SQLSTATE that pass by themselves: the connection, a lack of resources (too many
// connections), and an operator's hand (starting up, shutting down). A wrong password or a database
// that does not exist is none of them.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const PASSING_CLASSES: ReadonlySet<string> = new Set(["08", "53", "57"]);

// The errors of pg itself carry no code.
const PASSING_MESSAGE = /terminated|timeout/i;

/**
 * Says why the database cannot be used for now, or returns undefined for an error that waiting does
 * not mend.
 */
export const reasonToWait = (error: unknown): string | undefined => {
  const passes = error instanceof MigrationsLocked || isPassing(rootOf(error));
  return passes ? messageOf(error) : undefined;
};

/** Why the service cannot be used with its database, for the person who can mend it. */
export const explain = (error: unknown): string => {
  const hint = error instanceof Error && "hint" in error ? error.hint : undefined;
  const sentence = messageOf(error).replace(/\.?$/, ".");
  if (typeof hint === "string") return `${sentence} ${hint}`;
  return error instanceof DatabaseUnreachable ? `${sentence} Check DATABASE_URL.` : sentence;
};

const rootOf = (error: unknown): unknown =>
  error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;

const isPassing = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (error instanceof DatabaseError) return PASSING_CLASSES.has(code.slice(0, 2));
  // The network: refused, reset, unknown host. Other codes are TLS that does not suit, or bugs.
  return /^E[A-Z]+(_AGAIN)?$/.test(code) || (code === "" && PASSING_MESSAGE.test(error.message));
};
