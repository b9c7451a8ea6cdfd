import { installQueues } from "../../adapters/pg_boss/queue_settings.ts";
import { ensureShards } from "../../adapters/postgres/event_log.ts";
import { createPool, type Database, databaseOf, executorOf } from "../../adapters/postgres/pool.ts";
import { migrate } from "../../db/migrate.ts";
import { installQueueSchema } from "../../db/queue_schema.ts";
import { createTestDatabase } from "./database.ts";

/** A database as after the first start of a service, with a pool. */
export interface MigratedDatabase {
  readonly url: string;
  readonly database: Database;
  /** Runs the SQL of pg-boss. */
  readonly execute: ReturnType<typeof executorOf>;
  readonly close: () => Promise<void>;
}

/** The default number of shards in tests. */
export const TEST_SHARDS = 2;

/** Creates a database with all migrations applied, the queues and empty shards. */
export const createMigratedDatabase = async (shards = TEST_SHARDS): Promise<MigratedDatabase> => {
  const { url, drop } = await createTestDatabase();
  await migrate(url);
  await installQueueSchema(url, { installQueues });
  const pool = createPool({
    url,
    connectionsMax: 6,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 20_000,
    // Dropping the database terminates connections.
    onIdleError: () => {},
  });
  const database = databaseOf(pool);
  await ensureShards(database, shards);
  return {
    url,
    database,
    execute: executorOf(pool),
    close: async () => {
      await pool.end();
      await drop();
    },
  };
};
