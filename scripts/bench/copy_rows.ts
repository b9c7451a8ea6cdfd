import { chmod, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import pg from "pg";

import type { Event } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";
import { present } from "../../core/invariant.ts";
import { createMigratedDatabase } from "../test/migrated_database.ts";
import { TYPES } from "./poster.ts";

/** Events like those of a load. */
const loadEvents = function* (events: number): Generator<Event> {
  const now = Date.now();
  for (let n = 0; n < events; n++) {
    yield {
      accountId: `account-${(n * 7_919) % 500}`,
      eventId: `load-${process.pid}-${n}`,
      userId: `user-${(n * 104_729) % 200}`,
      type: TYPES[n % TYPES.length] ?? "custom",
      occurredAt: now + (n % 1_000),
      metadata: `{"channel":"web","n":${n % 10}}`,
      fingerprint: n,
    };
  }
};

/** Rows of the log as CSV, with dense positions in each shard. */
const lines = function* (events: Iterable<Event>, shards: number): Generator<string> {
  const heads = Array.from({ length: shards }, () => 0);
  const recordedAt = new Date().toISOString();
  for (const event of events) {
    const shard = shardOf(event.accountId, shards);
    const position = (heads[shard] = present(heads[shard], `the log has a shard ${shard}`) + 1);
    const at = new Date(event.occurredAt).toISOString();
    const metadata = `"${event.metadata?.replaceAll('"', '""') ?? ""}"`;
    yield `${position},${at},${recordedAt},${event.fingerprint},${shard},${event.accountId},${event.eventId},${event.userId},${event.type},${metadata}\n`;
  }
};

/**
 * Measures how many events per second COPY writes durably to an empty log with its constraints and
 * indexes: the reference for ingest.
 *
 * @param rows `events` events whose identifiers need no quotes (default: events like those of a
 *   load)
 */
export const measureCopy = async (
  events: number,
  shards: number,
  rows: Iterable<Event> = loadEvents(events),
): Promise<number> => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-copy-"));
  await chmod(folder, 0o755);
  const path = join(folder, "rows.csv");
  const file = await open(path, "w", 0o644);
  let chunk = "";
  for (const line of lines(rows, shards)) {
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
