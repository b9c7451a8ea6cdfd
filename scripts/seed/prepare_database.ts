import { installQueues } from "../../adapters/pg_boss/queue_settings.ts";
import {
  createShards,
  isUnmigrated,
  migrate,
  pendingOf,
  problemOf,
  schemaStatus,
} from "../../db/migrate.ts";
import { installQueueSchema } from "../../db/queue_schema.ts";

/**
 * Creates the schema and the log in an empty database, as a service does at its first start, and
 * returns the number of shards.
 *
 * @throws if the schema has another version: the operator of its service decides when to migrate
 */
export const prepareDatabase = async (url: string): Promise<number> => {
  const status = await schemaStatus(url);
  const problem = problemOf(status);
  if (problem !== undefined) throw problem;
  if (isUnmigrated(status)) {
    await migrate(url);
    await installQueueSchema(url, { installQueues });
  } else {
    const pending = pendingOf(status);
    if (pending !== undefined) throw new Error(`${pending}: run npm run migrate`);
  }
  return (await createShards(url)).shards;
};
