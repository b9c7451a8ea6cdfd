import cors from "@koa/cors";
import type { Middleware } from "koa";

/** How long a browser need not ask again what it may send, in seconds. */
const PREFLIGHT_KEPT_SECONDS = 600;

/**
 * Lets the pages of these origins, such as `https://app.example.com`, ask with a key. Those of others get no
 * word that a browser would let them go on by. Cookies are never meant: there are none.
 */
export const makeCors = (origins: ReadonlySet<string>): Middleware =>
  cors({
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
    maxAge: PREFLIGHT_KEPT_SECONDS,
  });
