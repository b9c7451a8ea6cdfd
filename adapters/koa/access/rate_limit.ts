import type { Context, Middleware } from "koa";
import rateLimit from "koa-ratelimit";

import type { Principal } from "../../../core/access/principal.ts";
import { addressOf, isLoopback } from "./client_address.ts";

/** A Redis where processes count requests together; what fails or takes too long is undefined. */
export interface SharedCounters {
  /** The client, as koa-ratelimit takes it. */
  readonly redis: NonNullable<rateLimit.MiddlewareOptions["db"]>;
  /** What its keys begin with. */
  readonly prefix: string;
  readonly call: <A>(run: () => Promise<A>) => Promise<A | undefined>;
}

export interface RateLimitOptions {
  /** The most requests a minute from an address without a key. */
  readonly anonymousPerMinute: number;
  /** Whether clients on this machine are limited, too. */
  readonly limitLoopback: boolean;
  /** Without it each process counts its own. */
  readonly shared: SharedCounters | undefined;
}

/** Counts requests, and says who has made too many. */
export interface RateLimit {
  /** Whether requests from an address are counted at all; `principal` is undefined for a bad key. */
  readonly applies: (address: string, principal: Principal | undefined) => boolean;
  /**
   * After how many seconds the address may ask again without a key, or with a bad one, if it was refused a
   * moment ago; undefined if it may. Counts nothing.
   */
  readonly refused: (ctx: Context) => number | undefined;
  /**
   * Counts a request. Returns undefined if it may pass, and otherwise after how many seconds the next one
   * may. Tells the client where it stands either way.
   */
  readonly count: (ctx: Context, principal: Principal | undefined) => Promise<number | undefined>;
}

const MINUTE_MS = 60_000;

/** How many clients a process tells apart; then it forgets the one that it has seen first. */
const CLIENTS_MAX = 100_000;

/** Counters in memory. The library never lets go of one. */
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
 * Limits requests with koa-ratelimit, which on its own answers 500 while Redis is away, never forgets a
 * client, and tells times that are no whole seconds or are zero.
 */
export const makeRateLimit = (options: RateLimitOptions): RateLimit => {
  const { anonymousPerMinute, limitLoopback, shared } = options;
  const counters = new BoundedMap();
  /** Until when each address is refused, in milliseconds since the Unix epoch. */
  const refusedUntil = new BoundedMap<string, number>();
  const limiters = new Map<string, Middleware>();

  const limiterFor = (driver: "memory" | "redis", max: number): Middleware => {
    const name = `${driver}:${max}`;
    let limiter = limiters.get(name);
    if (limiter === undefined) {
      limiter = rateLimit({
        driver,
        db: (driver === "redis" ? shared?.redis : undefined) ?? counters,
        max,
        duration: MINUTE_MS,
        id: clientOf,
        headers: { total: LIMIT, remaining: REMAINING, reset: RESET },
        ...(driver === "redis" ? { namespace: `${shared?.prefix}requests` } : {}),
      });
      limiters.set(name, limiter);
    }
    return limiter;
  };

  const maxOf = (principal: Principal | undefined): number | undefined =>
    principal?.keyId === undefined ? anonymousPerMinute : principal.requestsPerMinute;

  return {
    applies: (address, principal) => {
      if (principal?.keyId !== undefined) return principal.requestsPerMinute !== undefined;
      return limitLoopback || !isLoopback(address);
    },

    refused: (ctx) => {
      if (refusedUntil.size === 0) return undefined;
      const address = addressOf(ctx);
      const until = refusedUntil.get(address);
      if (until === undefined) return undefined;
      const seconds = Math.ceil((until - Date.now()) / 1_000);
      if (seconds < 1) {
        refusedUntil.delete(address);
        return undefined;
      }
      ctx.set({ [LIMIT]: String(anonymousPerMinute), [REMAINING]: "0", [RESET]: String(seconds) });
      return seconds;
    },

    count: async (ctx, principal) => {
      const max = maxOf(principal);
      if (max === undefined) return undefined;
      const keyId = principal?.keyId;
      const address = addressOf(ctx);
      ctx.state["client"] = keyId === undefined ? `address:${address}` : `key:${keyId}`;
      const passes = async (limiter: Middleware): Promise<boolean> => {
        let passed = false;
        await limiter(ctx, async () => {
          passed = true;
        });
        return passed;
      };
      const viaRedis = await shared?.call(() => passes(limiterFor("redis", max)));
      const passed = viaRedis ?? (await passes(limiterFor("memory", max)));
      const seconds = Math.ceil(Number(ctx.response.get(RESET)) - Date.now() / 1_000);
      const resetSeconds = Math.min(Math.max(seconds, 1), MINUTE_MS / 1_000);
      ctx.set(RESET, String(resetSeconds));
      if (passed) return undefined;
      if (keyId === undefined) refusedUntil.set(address, Date.now() + resetSeconds * 1_000);
      return resetSeconds;
    },
  };
};

const clientOf = (ctx: Context): string => String(ctx.state["client"]);
