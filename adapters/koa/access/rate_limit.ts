import type { Context } from "koa";
import rateLimit from "koa-ratelimit";

import type { Principal } from "../../../core/access/principal.ts";
import { addressOf, isLoopback } from "./client_address.ts";

/** Counters in Redis that processes share. */
export interface SharedCounters {
  /** The client for koa-ratelimit. */
  readonly redis: NonNullable<rateLimit.MiddlewareOptions["db"]>;
  /** Prefix of its keys. */
  readonly prefix: string;
  /** Returns undefined if the call fails or takes too long. */
  readonly call: <A>(run: () => Promise<A>) => Promise<A | undefined>;
}

export interface RateLimitOptions {
  /** The most requests a minute from an address without a key. */
  readonly anonymousPerMinute: number;
  /** Whether to limit clients on this machine, too. */
  readonly limitLoopback: boolean;
  /** Undefined if each process counts alone. */
  readonly shared: SharedCounters | undefined;
}

/** Counts requests of each client. */
export interface RateLimit {
  /** Whether requests from an address count at all; `principal` is undefined for an invalid key. */
  readonly applies: (address: string, principal: Principal | undefined) => boolean;
  /**
   * How many seconds an address has to wait because it was refused recently, without a key or with
   * an invalid one; undefined if it may send requests. Counts nothing.
   */
  readonly refused: (ctx: Context) => number | undefined;
  /**
   * Counts a request, and sets the RateLimit headers. Returns undefined if the request is within
   * the limit, else how many seconds the client has to wait.
   */
  readonly count: (ctx: Context, principal: Principal | undefined) => Promise<number | undefined>;
}

const MINUTE_MS = 60_000;

/** How many clients are counted apart; beyond that the oldest counter is dropped. */
const CLIENTS_MAX = 100_000;

/** koa-ratelimit never drops a counter, and accepts only a Map, not an LRU cache. */
class BoundedMap<K, V> extends Map<K, V> {
  override set(key: K, value: V): this {
    if (this.size >= CLIENTS_MAX && !this.has(key)) {
      for (const first of this.keys()) {
        this.delete(first);
        break;
      }
    }
    return super.set(key, value);
  }
}

const LIMIT = "RateLimit-Limit";
const REMAINING = "RateLimit-Remaining";
const RESET = "RateLimit-Reset";

/**
 * Limits requests with koa-ratelimit. On its own, that responds with 500 while Redis is
 * unavailable, never drops a counter, and sends times that are zero or not whole seconds.
 */
export const makeRateLimit = (options: RateLimitOptions): RateLimit => {
  const { anonymousPerMinute, limitLoopback, shared } = options;
  const counters = new BoundedMap();
  /** Until when each address is refused, in Unix milliseconds. */
  const refusedUntil = new BoundedMap<string, number>();

  /** Runs koa-ratelimit, which sets headers; returns whether the request is within the limit. */
  const passes = async (
    ctx: Context,
    client: string,
    max: number,
    store: Pick<rateLimit.MiddlewareOptions, "driver" | "db" | "namespace">,
  ): Promise<boolean> => {
    let passed = false;
    const headers = { total: LIMIT, remaining: REMAINING, reset: RESET };
    await rateLimit({ ...store, max, duration: MINUTE_MS, id: () => client, headers })(
      ctx,
      async () => {
        passed = true;
      },
    );
    return passed;
  };

  return {
    applies: (address, principal) => {
      if (principal?.keyId !== undefined) return principal.requestsPerMinute !== undefined;
      return limitLoopback || !isLoopback(address);
    },

    refused: (ctx) => {
      const until = refusedUntil.get(addressOf(ctx)) ?? 0;
      const seconds = Math.ceil((until - Date.now()) / 1_000);
      if (seconds < 1) return undefined;
      ctx.set({ [LIMIT]: String(anonymousPerMinute), [REMAINING]: "0", [RESET]: String(seconds) });
      return seconds;
    },

    count: async (ctx, principal) => {
      const keyId = principal?.keyId;
      const max = keyId === undefined ? anonymousPerMinute : principal?.requestsPerMinute;
      if (max === undefined) return undefined;
      const address = addressOf(ctx);
      const client = keyId === undefined ? `address:${address}` : `key:${keyId}`;
      const passed =
        (await shared?.call(() =>
          passes(ctx, client, max, {
            driver: "redis",
            db: shared.redis,
            namespace: `${shared.prefix}requests`,
          }),
        )) ?? (await passes(ctx, client, max, { driver: "memory", db: counters }));
      const seconds = Math.ceil(Number(ctx.response.get(RESET)) - Date.now() / 1_000);
      const resetSeconds = Math.min(Math.max(seconds, 1), MINUTE_MS / 1_000);
      ctx.set(RESET, String(resetSeconds));
      if (passed) return undefined;
      if (keyId === undefined) refusedUntil.set(address, Date.now() + resetSeconds * 1_000);
      return resetSeconds;
    },
  };
};
