import { remedyOf } from "../adapters/postgres/errors.ts";
import { DatabaseUnreachable, messageOf, MigrationsLocked, sentenceOf } from "../db/errors.ts";

/**
 * Says why the database cannot be used for now, or returns undefined for an error that waiting does
 * not mend.
 */
export const reasonToWait = (error: unknown): string | undefined => {
  const remedy = error instanceof MigrationsLocked ? "wait" : remedyOf(rootOf(error));
  return remedy === "retry" || remedy === "wait" ? messageOf(error) : undefined;
};

/** Why the service cannot be used with its database, for the person who can mend it. */
export const explain = (error: unknown): string => {
  const hint = error instanceof Error && "hint" in error ? error.hint : undefined;
  const sentence = sentenceOf(error).replace(/\.?$/, ".");
  if (typeof hint === "string") return `${sentence} ${hint}`;
  if (error instanceof DatabaseUnreachable) return `${sentence} Check ${error.setting}.`;
  return isForbidden(rootOf(error)) ? `${sentence} ${FORBIDDEN_HINT}` : sentence;
};

const INSUFFICIENT_PRIVILEGE = "42501";

const isForbidden = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === INSUFFICIENT_PRIVILEGE;

const FORBIDDEN_HINT =
  "Give the role in DATABASE_URL what it needs with npm run migrate -- grant ROLE, as a role that may change the " +
  "schema; set MIGRATION_DATABASE_URL to that role for migrations.";

const rootOf = (error: unknown): unknown =>
  error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
