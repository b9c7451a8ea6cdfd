import { Effect, Layer, Redacted } from "effect";

import { installQueues } from "../../adapters/pg_boss/queue_settings.ts";
import { ensureShards } from "../../adapters/postgres/event_log.ts";
import { databaseOf, Databases } from "../../adapters/postgres/pool.ts";
import { applicationRoleOf, grantApplicationRole } from "../../db/application_role.ts";
import { withClient } from "../../db/client.ts";
import { migrate, pendingOf, problemOf, schemaStatus } from "../../db/migrate.ts";
import { installQueueSchema, queueSchemaStatus } from "../../db/queue_schema.ts";
import type { Configuration } from "../configuration.ts";
import { checkOwnSessions, checkSettings } from "./check.ts";
import { DatabaseUrl } from "./url.ts";
import { attempt, SchemaOutdated, untilDatabaseReady } from "./wait.ts";

type Settings = Pick<
  Configuration,
  "MIGRATE_ON_START" | "MIGRATION_DATABASE_URL" | "SHARDS" | "ALLOW_UNSAFE_DATABASE"
>;

/**
 * Makes sure, before anything uses it, that the database keeps what it commits and has the schema
 * that this build needs: migrates it, or waits until it is migrated.
 */
export const schemaLayer = (settings: Settings) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const url = Redacted.value(yield* DatabaseUrl);
      const { log } = yield* Databases;
      const prepare = async (): Promise<ReadonlyArray<string>> => {
        await withClient(url, async (client) => {
          await checkSettings(databaseOf(client), settings.ALLOW_UNSAFE_DATABASE);
          await withClient(url, (other) => checkOwnSessions(databaseOf(client), databaseOf(other)));
        });
        const excess = settings.MIGRATE_ON_START
          ? await migrateAll(url, settings)
          : await checkMigrations(url);
        // Another process may have created them, with another number.
        await ensureShards(log, settings.SHARDS);
        return excess;
      };
      const excess = yield* untilDatabaseReady(attempt(prepare));
      if (excess.length === 0) return;
      yield* Effect.annotateLogs(
        Effect.logWarning("The role in DATABASE_URL has rights that a service does not need"),
        { rights: excess.join("; ") },
      );
    }),
  );

/** Returns the rights that the service's role has and does not need, if another role migrates. */
const migrateAll = async (
  url: string,
  { MIGRATION_DATABASE_URL, SHARDS }: Settings,
): Promise<ReadonlyArray<string>> => {
  const by = MIGRATION_DATABASE_URL === undefined ? url : Redacted.value(MIGRATION_DATABASE_URL);
  const role = by === url ? undefined : await applicationRoleOf(url, by);
  await migrate(by);
  await installQueueSchema(by, { installQueues });
  if (role === undefined) return [];
  await withClient(by, (client) => ensureShards(databaseOf(client), SHARDS));
  return grantApplicationRole(by, role);
};

const checkMigrations = async (url: string): Promise<ReadonlyArray<string>> => {
  const status = await schemaStatus(url);
  const problem = problemOf(status);
  if (problem !== undefined) throw problem;
  const pending = pendingOf(status);
  const queue = await queueSchemaStatus(url);
  const missing = [
    ...(pending === undefined ? [] : [pending]),
    ...(queue.installed === queue.wanted ? [] : ["the queue schema is not installed"]),
  ];
  if (missing.length === 0) return [];
  throw new SchemaOutdated({ message: `${missing.join(", and ")}: run npm run migrate` });
};
