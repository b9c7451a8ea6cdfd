import { Data, Effect, Schedule } from "effect";

import { installQueues } from "../adapters/pg_boss/queue_settings.ts";
import type { Database } from "../adapters/postgres/pool.ts";
import { ensureShards } from "../adapters/postgres/shards.ts";
import { problemOf } from "../db/compare.ts";
import { DatabaseUnreachable, messageOf } from "../db/errors.ts";
import { migrate } from "../db/migrate.ts";
import { installQueueSchema } from "../db/queue_schema.ts";
import { queueSchemaStatus } from "../db/queue_schema_status.ts";
import { migrationStatus } from "../db/status.ts";
import type { Configuration } from "./configuration.ts";

/** The schema is not what this build needs. It may become so: somebody may migrate. */
class SchemaNotReady extends Data.TaggedError("SchemaNotReady")<{
  readonly reason: string;
}> {}

/** The schema cannot become what this build needs without a person, or the settings contradict it. */
export class SchemaUnusable extends Data.TaggedError("SchemaUnusable")<{
  readonly message: string;
}> {}

/** How long to wait before the database is tried again at start. */
const RETRY_DELAY = "1 second";

/**
 * Brings the schema to what this build needs, or waits until somebody has. Waits for a database that
 * is away, too.
 *
 * @param onWait is told why it waits, each time anew
 * @errors `SchemaUnusable`
 */
export const prepareSchema = (
  url: string,
  database: Database,
  configuration: Configuration,
  onWait: (reason: string) => Effect.Effect<void>,
): Effect.Effect<void, SchemaUnusable> =>
  Effect.tryPromise({
    try: async () => {
      if (configuration.MIGRATE_ON_START) await applyMigrations(url);
      else await checkMigrations(url);
      await ensureShards(database, configuration.SHARDS);
    },
    catch: classify,
  }).pipe(
    Effect.tapError((error) =>
      error._tag === "SchemaNotReady" ? onWait(error.reason) : Effect.void,
    ),
    Effect.retry({
      schedule: Schedule.spaced(RETRY_DELAY),
      while: (error) => error._tag === "SchemaNotReady",
    }),
    Effect.catchTag("SchemaNotReady", ({ reason }) =>
      Effect.fail(new SchemaUnusable({ message: reason })),
    ),
  );

const applyMigrations = async (url: string): Promise<void> => {
  await migrate(url);
  await installQueueSchema(url, { installQueues });
};

const checkMigrations = async (url: string): Promise<void> => {
  const statuses = await migrationStatus(url);
  const problem = problemOf(statuses);
  if (problem !== undefined) throw problem;
  const pending = statuses.filter(({ state }) => state === "pending").length;
  const queue = await queueSchemaStatus(url);
  if (pending === 0 && queue.installed === queue.wanted) return;
  const missing = [
    ...(pending > 0 ? [`${pending} migrations are pending`] : []),
    ...(queue.installed === queue.wanted ? [] : ["the queue schema is not installed"]),
  ];
  throw new SchemaNotReady({ reason: `${missing.join(" and ")}: run npm run migrate` });
};

const classify = (error: unknown): SchemaNotReady | SchemaUnusable => {
  if (error instanceof SchemaNotReady) return error;
  if (error instanceof DatabaseUnreachable) return new SchemaNotReady({ reason: error.message });
  return new SchemaUnusable({ message: withHint(error) });
};

const withHint = (error: unknown): string => {
  const hint = error instanceof Error && "hint" in error ? error.hint : undefined;
  return typeof hint === "string" ? `${messageOf(error)}. ${hint}` : messageOf(error);
};
