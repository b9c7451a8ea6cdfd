import { hash53 } from "./hash.ts";

/** How many shards a log has by default. The number of shards of a log never changes. */
export const SHARDS_DEFAULT = 8;

/** More shards cost more in idle polling than they gain in parallel appends. */
export const SHARDS_MAX = 256;

/**
 * The shard of an account's events, from 0 to `shards` - 1. All events of an account are on one shard,
 * so they have a total order, and every statement about an account names one shard.
 */
export const shardOf = (accountId: string, shards: number): number => hash53(accountId) % shards;
