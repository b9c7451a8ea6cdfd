import type { Context, Next } from "koa";

/**
 * What browsers are told with every answer: it is what its Content-Type says, it runs nothing, no page may
 * frame or embed it, and where a reader goes from it is not told who it was. HSTS is not among them: the
 * service speaks HTTP, and what stands before it knows whether its whole host is to be HTTPS for ever.
 */
export const SECURITY_HEADERS = {
  "X-Content-Type-Options": "nosniff",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "X-Frame-Options": "DENY",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
} as const;

/** Sets them; a route that needs another one sets it anew. */
export const setSecurityHeaders = (ctx: Context, next: Next): unknown => {
  ctx.set(SECURITY_HEADERS);
  return next();
};
