import { Data, Effect, Schedule } from "effect";

import { installQueues } from "../adapters/pg_boss/queue_settings.ts";
import { ensureShards } from "../adapters/postgres/ensure_shards.ts";
import { type Database, databaseOf } from "../adapters/postgres/pool.ts";
import { applicationRoleOf, grantApplicationRole } from "../db/application_role.ts";
import { withClient } from "../db/client.ts";
import { problemOf } from "../db/compare.ts";
import { migrate } from "../db/migrate.ts";
import { installQueueSchema } from "../db/queue_schema.ts";
import { queueSchemaStatus } from "../db/queue_schema_status.ts";
import { migrationStatus } from "../db/status.ts";
import type { Configuration } from "./configuration.ts";
import { explain, reasonToWait } from "./database_away.ts";
import { checkSafety } from "./database_safety.ts";
import { DatabaseUnusable } from "./database_unusable.ts";
import { checkOwnSessions } from "./shared_sessions.ts";

/** The schema is not what this build needs. It may become so: somebody may migrate. */
class SchemaBehind extends Data.TaggedError("SchemaBehind")<{
  readonly message: string;
}> {}

/**
 * Checks that the database keeps what it commits, and brings its schema to what this build needs, or
 * checks that somebody has. Returns what the service's role may do beside what it needs, a clause each, where
 * another one migrates.
 *
 * @throws what `untilDatabaseReady` tells apart
 */
export const prepareSchema = async (
  url: string,
  database: Database,
  settings: Pick<
    Configuration,
    "MIGRATE_ON_START" | "MIGRATION_DATABASE_URL" | "SHARDS" | "ALLOW_UNSAFE_DATABASE"
  >,
): Promise<ReadonlyArray<string>> => {
  const { MIGRATE_ON_START, SHARDS, ALLOW_UNSAFE_DATABASE } = settings;
  await withClient(url, async (client) => {
    await checkSafety(databaseOf(client), ALLOW_UNSAFE_DATABASE);
    await withClient(url, (other) => checkOwnSessions(databaseOf(client), databaseOf(other)));
  });
  const excess = MIGRATE_ON_START
    ? await migrateAll(url, settings.MIGRATION_DATABASE_URL ?? url, SHARDS)
    : await checkMigrations(url);
  // Whoever created them: the number has to be the one of this log.
  await ensureShards(database, SHARDS);
  return excess;
};

/** @param by of the same database as a role that may change the schema; the other one gets what it needs */
const migrateAll = async (
  url: string,
  by: string,
  shards: number,
): Promise<ReadonlyArray<string>> => {
  const role = by === url ? undefined : await applicationRoleOf(url, by);
  await migrate(by);
  await installQueueSchema(by, { installQueues });
  if (role === undefined) return [];
  await withClient(by, (client) => ensureShards(databaseOf(client), shards));
  return grantApplicationRole(by, role);
};

const checkMigrations = async (url: string): Promise<ReadonlyArray<string>> => {
  const statuses = await migrationStatus(url);
  const problem = problemOf(statuses);
  if (problem !== undefined) throw problem;
  const pending = statuses.filter(({ state }) => state === "pending").length;
  const queue = await queueSchemaStatus(url);
  if (pending === 0 && queue.installed === queue.wanted) return [];
  const missing = [
    ...(pending > 0 ? [`${pending} migrations are pending`] : []),
    ...(queue.installed === queue.wanted ? [] : ["the queue schema is not installed"]),
  ];
  throw new SchemaBehind({ message: `${missing.join(" and ")}: run npm run migrate` });
};

/** How long to wait before the database is tried again at start. */
const RETRY_DELAY = "1 second";

/**
 * Tries something again and again while the database is away or its schema behind.
 *
 * @param onWait is told why it waits, before each wait
 * @errors `DatabaseUnusable` when waiting would not help
 */
export const untilDatabaseReady = <A, R>(
  attempt: Effect.Effect<A, unknown, R>,
  onWait: (reason: string) => Effect.Effect<void>,
): Effect.Effect<A, DatabaseUnusable, R> => {
  const wait = (error: unknown): string | undefined =>
    error instanceof SchemaBehind ? error.message : reasonToWait(error);
  return attempt.pipe(
    Effect.tapError((error) => {
      const reason = wait(error);
      return reason === undefined ? Effect.void : onWait(reason);
    }),
    Effect.retry({
      schedule: Schedule.spaced(RETRY_DELAY),
      while: (error) => wait(error) !== undefined,
    }),
    Effect.mapError((error) =>
      error instanceof DatabaseUnusable ? error : new DatabaseUnusable({ message: explain(error) }),
    ),
  );
};
