import { installQueues } from "../../adapters/pg_boss/queue_settings.ts";
import { ensureShards } from "../../adapters/postgres/ensure_shards.ts";
import type { Database, Statement } from "../../adapters/postgres/pool.ts";
import { SHARDS_DEFAULT, SHARDS_MAX } from "../../core/event/shard.ts";
import { problemOf } from "../../db/compare.ts";
import { migrate } from "../../db/migrate.ts";
import { installQueueSchema } from "../../db/queue_schema.ts";
import { migrationStatus } from "../../db/status.ts";

const SHARDS: Statement = {
  name: "count_shards",
  text: "select count(*)::int as shards from tidemark.log_heads",
};

/**
 * Makes the log of a new database, as a service does at its first start, and returns how many shards the
 * log has.
 *
 * @param shards how many a new log gets
 * @throws when the database is of another version: whoever runs its service decides when that changes
 */
export const prepareDatabase = async (
  url: string,
  database: Database,
  shards: number,
): Promise<number> => {
  const statuses = await migrationStatus(url);
  const problem = problemOf(statuses);
  if (problem !== undefined) throw problem;
  const pending = statuses.filter(({ state }) => state === "pending").length;
  if (pending > 0 && pending < statuses.length) {
    const what = pending === 1 ? "1 migration is" : `${pending} migrations are`;
    throw new Error(`${what} pending: run npm run migrate`);
  }
  if (pending > 0) {
    await migrate(url);
    await installQueueSchema(url, { installQueues });
  }
  const [log] = await database.query<{ readonly shards: number }>(SHARDS, []);
  if (log !== undefined && log.shards > 0) return log.shards;
  await ensureShards(database, shards);
  return shards;
};

/**
 * How many shards a new log gets: what the service's variable says.
 *
 * @throws when it says nothing that can be
 */
export const shardsOf = (variable: string | undefined): number => {
  if (variable === undefined || variable === "") return SHARDS_DEFAULT;
  const shards = Number(variable);
  if (/^[1-9][0-9]*$/.test(variable) && shards <= SHARDS_MAX) return shards;
  throw new Error(`SHARDS must be a whole number from 1 to ${SHARDS_MAX}`);
};
