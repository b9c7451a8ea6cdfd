import type { Database, Statement } from "./pool.ts";

const ENSURE_SHARDS: Statement = {
  name: "ensure_shards",
  text: "select tidemark.ensure_shards($1)",
};

/**
 * Creates the shards of a new log.
 *
 * @throws when the log exists with another number of shards: that number cannot change
 */
export const ensureShards = async (database: Database, shards: number): Promise<void> => {
  await database.query(ENSURE_SHARDS, [shards]);
};
