import { Data, Effect, Ref, Schedule } from "effect";

import { remedyOf } from "../../adapters/postgres/errors.ts";
import { messageOf } from "../../core/printable.ts";
import { DatabaseUnreachable, MigrationsLocked, sentenceOf } from "../../db/errors.ts";
import { CurrentPhase } from "../phase.ts";

/** The service cannot use the database until a person changes something. */
export class DatabaseUnusable extends Data.TaggedError("DatabaseUnusable")<{
  readonly message: string;
}> {}

/** The schema is not what this build needs. Another process or a person may migrate it. */
export class SchemaOutdated extends Data.TaggedError("SchemaOutdated")<{
  readonly message: string;
}> {}

/** How long to wait before the next attempt. */
const RETRY_DELAY = "1 second";

/**
 * Repeats an attempt while the database is unavailable or its schema outdated. Readiness and the
 * log say why it waits.
 *
 * @errors `DatabaseUnusable` when waiting would not help
 */
export const untilDatabaseReady = <A, R>(
  attempt: Effect.Effect<A, unknown, R>,
): Effect.Effect<A, DatabaseUnusable, R | CurrentPhase> =>
  attempt.pipe(
    Effect.tapError((error) => {
      const reason = reasonToWait(error);
      return reason === undefined ? Effect.void : reportWait(reason);
    }),
    Effect.retry({
      schedule: Schedule.spaced(RETRY_DELAY),
      while: (error) => reasonToWait(error) !== undefined,
    }),
    Effect.mapError((error) =>
      error instanceof DatabaseUnusable ? error : new DatabaseUnusable({ message: explain(error) }),
    ),
  );

/** Runs a call of the database that rejects with why it failed. */
export const attempt = <A>(call: () => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({ try: call, catch: (error) => error });

/** Logs each reason once, however often the attempts fail for it. */
const reportWait = Effect.fnUntraced(function* (reason: string) {
  const phase = yield* CurrentPhase;
  const before = yield* Ref.get(phase);
  if (before._tag !== "Starting") return;
  const logged = new Set([...before.logged, reason]);
  yield* Ref.set(phase, { _tag: "Starting", reason, logged });
  if (before.logged.has(reason)) return;
  yield* Effect.annotateLogs(Effect.logWarning("Waiting for the database"), { reason });
});

/** Why the database cannot be used for now; undefined for an error that waiting does not mend. */
export const reasonToWait = (error: unknown): string | undefined => {
  if (error instanceof SchemaOutdated) return error.message;
  const remedy = error instanceof MigrationsLocked ? "wait" : remedyOf(rootOf(error));
  return remedy === "retry" || remedy === "wait" ? messageOf(error) : undefined;
};

/** Why the service cannot use its database, for the person who can mend it. */
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
  "As a role that may change the schema, grant the role in DATABASE_URL what it needs: npm run migrate -- grant ROLE. " +
  "To run migrations as that other role, set MIGRATION_DATABASE_URL.";

const rootOf = (error: unknown): unknown =>
  error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
