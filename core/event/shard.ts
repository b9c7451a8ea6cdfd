import { hash53 } from "./hash.ts";

/** How many shards a log has unless configured; fixed for the life of a log. */
export const SHARDS_DEFAULT = 8;

/** More shards than this cost more in idle polling than they give in parallel appends. */
export const SHARDS_MAX = 256;

/**
 * The shard that an account's events live in, from 0 to `shards` - 1. All events of one account share
 * a shard, so their order is total and every statement about an account names one shard.
 */
export const shardOf = (accountId: string, shards: number): number => hash53(accountId) % shards;
