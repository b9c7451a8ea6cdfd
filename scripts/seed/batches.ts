import type { Event } from "../../core/event/event.ts";
import { shardOf } from "../../core/event/shard.ts";

/** Events for one append. */
export interface ShardBatch {
  readonly shard: number;
  readonly events: ReadonlyArray<Event>;
}

/**
 * Sorts events by shard and gives a shard's as soon as there are `size` of them, what is left of each
 * shard at the end. Takes no more events while `stopped` says so.
 */
export function* batchesOf(
  events: Iterable<Event>,
  shards: number,
  size: number,
  stopped: () => boolean,
): Generator<ShardBatch> {
  const gathered = Array.from({ length: shards }, (): Event[] => []);
  for (const event of events) {
    const shard = shardOf(event.accountId, shards);
    const batch = gathered[shard];
    if (batch === undefined || batch.push(event) < size) continue;
    gathered[shard] = [];
    yield { shard, events: batch };
    if (stopped()) return;
  }
  for (const [shard, batch] of gathered.entries()) {
    if (batch.length > 0 && !stopped()) yield { shard, events: batch };
  }
}
