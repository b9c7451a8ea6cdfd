import { installQueues } from "../../adapters/pg_boss/queue_settings.ts";
import type { Database, Statement } from "../../adapters/postgres/pool.ts";
import { problemOf } from "../../db/compare.ts";
import { createShards } from "../../db/create_shards.ts";
import { migrate } from "../../db/migrate.ts";
import { installQueueSchema } from "../../db/queue_schema.ts";
import { migrationStatus } from "../../db/status.ts";
import { plural } from "../shared/format.ts";

const COUNT_SHARDS: Statement = {
  name: "count_shards",
  text: "select count(*)::int as shards from tidemark.log_heads",
};

/**
 * Creates the schema and the log in an empty database, as a service does at its first start, and returns the number of shards.
 *
 * @throws if the schema has another version: the operator of its service decides when to migrate
 */
export const prepareDatabase = async (url: string, database: Database): Promise<number> => {
  const statuses = await migrationStatus(url);
  const problem = problemOf(statuses);
  if (problem !== undefined) throw problem;
  const pending = statuses.filter(({ state }) => state === "pending").length;
  if (pending > 0 && pending < statuses.length) {
    const what = `${plural(pending, "migration")} ${pending === 1 ? "is" : "are"}`;
    throw new Error(`${what} pending: run npm run migrate`);
  }
  if (pending > 0) {
    await migrate(url);
    await installQueueSchema(url, { installQueues });
  }
  await createShards(url);
  const [log] = await database.query<{ readonly shards: number }>(COUNT_SHARDS, []);
  if (log === undefined || log.shards === 0) throw new Error("The log has no shards");
  return log.shards;
};
