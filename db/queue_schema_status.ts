import { type Db, PgBoss } from "pg-boss";
import bossPackage from "pg-boss/package.json" with { type: "json" };

import { QUEUE_SCHEMA } from "../adapters/pg_boss/queue_settings.ts";
import { withClient } from "./client.ts";

/** How pg-boss's schema in the database stands to the pg-boss in this build. */
export interface QueueSchemaStatus {
  readonly schema: string;
  /** Version in the database; null when pg-boss is not installed there. */
  readonly installed: number | null;
  /** Version that this build's pg-boss insists on: with `migrate: false` it starts on no other, older or newer. */
  readonly wanted: number;
  /** Index builds that an upgrade left to do. */
  readonly unfinishedBuilds: number;
}

/**
 * Reads which version of pg-boss's schema is installed. Writes nothing.
 *
 * @param database a connection string, or an adapter over the caller's own pool or client
 */
export async function queueSchemaStatus(
  database: string | Db,
  { schema = QUEUE_SCHEMA }: { readonly schema?: string } = {},
): Promise<QueueSchemaStatus> {
  if (typeof database === "string") {
    return withClient(database, (client) =>
      queueSchemaStatus({ executeSql: (text, values) => client.query(text, values) }, { schema }),
    );
  }
  // Never started: these questions need only the connection.
  const boss = new PgBoss({ db: database, schema });
  const wanted = bossPackage.pgboss.schema;
  if (!(await boss.isInstalled())) {
    return { schema, installed: null, wanted, unfinishedBuilds: 0 };
  }
  const builds = await boss.getBamStatus();
  const unfinishedBuilds = builds
    .filter(({ status }) => status !== "completed")
    .reduce((sum, { count }) => sum + count, 0);
  return { schema, installed: await boss.schemaVersion(), wanted, unfinishedBuilds };
}
