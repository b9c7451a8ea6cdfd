import cors from "@koa/cors";
import type { Middleware } from "koa";

import { sendReply } from "../response/reply.ts";

/** How long a browser may cache the response to a preflight request. */
const PREFLIGHT_CACHED_SECONDS = 600;

/**
 * Lets pages of these origins, such as `https://app.example.com`, call the service with a key;
 * browsers deny it to pages of others. Credentials stay off: there are no cookies.
 */
export const makeCors = (origins: ReadonlySet<string>): Middleware => {
  const handle = cors({
    origin: (ctx) => {
      const origin = ctx.get("Origin");
      return origins.has(origin) ? origin : "";
    },
    allowMethods: ["GET", "HEAD", "POST"],
    allowHeaders: ["Authorization", "Content-Type", "If-None-Match", "X-Request-Id"],
    exposeHeaders: [
      "ETag",
      "Location",
      "RateLimit-Limit",
      "RateLimit-Remaining",
      "RateLimit-Reset",
      "Retry-After",
      "Server-Timing",
      "X-Request-Id",
    ],
    maxAge: PREFLIGHT_CACHED_SECONDS,
  });
  return async (ctx, next) => {
    await handle(ctx, next);
    // The library answers a preflight request itself, and leaves the writing to koa.
    if (ctx.method === "OPTIONS" && !ctx.res.headersSent) sendReply(ctx, { status: 204 });
  };
};
