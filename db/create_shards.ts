import { ensureShards } from "../adapters/postgres/ensure_shards.ts";
import { databaseOf } from "../adapters/postgres/pool.ts";
import { SHARDS_DEFAULT, SHARDS_MAX } from "../core/event/shard.ts";
import { withClient } from "./client.ts";
import { variable } from "./with_database.ts";

/**
 * Creates the shards of a new log, as many as SHARDS says, and returns how many; undefined for a log that
 * has its shards. Services that may not change the schema need somebody else to do this.
 *
 * @throws {Error} when SHARDS is no number that can be, or another one than the log has
 */
export async function createShards(url: string): Promise<number | undefined> {
  const asked = variable("SHARDS");
  const shards = Number(asked ?? SHARDS_DEFAULT);
  if (!Number.isInteger(shards) || shards < 1 || shards > SHARDS_MAX) {
    throw new Error(`SHARDS must be a whole number from 1 to ${SHARDS_MAX}.`);
  }
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ shards: number }>(
      "SELECT count(*)::int AS shards FROM tidemark.log_heads",
    );
    const isNew = rows[0]?.shards === 0;
    if (isNew || asked !== undefined) await ensureShards(databaseOf(client), shards);
    return isNew ? shards : undefined;
  });
}
