import { chmod, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import pg from "pg";

import { shardOf } from "../../core/event/shard.ts";
import { createMigratedDatabase } from "../test/migrated_database.ts";

const TYPES = ["message_sent", "call_made", "form_submitted", "login", "custom"];

/** Rows of a log such as a load leaves behind, as CSV, each shard's positions dense. */
const lines = function* (events: number, shards: number): Generator<string> {
  const heads = Array.from({ length: shards }, () => 0);
  const now = Date.now();
  for (let n = 0; n < events; n++) {
    const account = `account-${(n * 7_919) % 500}`;
    const shard = shardOf(account, shards);
    const position = (heads[shard] = (heads[shard] ?? 0) + 1);
    const at = new Date(now + (n % 1_000)).toISOString();
    const user = `user-${(n * 104_729) % 200}`;
    yield `${position},${at},${at},${n},${shard},${account},load-${process.pid}-${n},${user},${TYPES[n % TYPES.length]},"{""channel"":""web"",""n"":${n % 10}}"\n`;
  }
};

/**
 * How fast COPY fills an empty log of this machine, with its constraints and indexes and durable: the
 * limit that ingestion is measured against. In events a second.
 */
export const measureCopy = async (events: number, shards: number): Promise<number> => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-copy-"));
  await chmod(folder, 0o755);
  const path = join(folder, "rows.csv");
  const file = await open(path, "w", 0o644);
  let chunk = "";
  for (const line of lines(events, shards)) {
    chunk += line;
    if (chunk.length > 1_000_000) {
      await file.write(chunk);
      chunk = "";
    }
  }
  await file.write(chunk);
  await file.close();
  const { url, close } = await createMigratedDatabase(shards);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const since = performance.now();
    await client.query(
      `copy tidemark.events (position, occurred_at, recorded_at, fingerprint, shard, account_id,
        event_id, user_id, type, metadata) from '${path}' with (format csv)`,
    );
    return events / ((performance.now() - since) / 1_000);
  } finally {
    await client.end();
    await close();
    await rm(folder, { recursive: true });
  }
};
