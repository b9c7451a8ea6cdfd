import type { Middleware } from "koa";

import { REQUEST_ID_HEADER, requestIdOf } from "../telemetry/request_id.ts";

/**
 * Sent with every response: a browser must trust its Content-Type, run nothing, let no page frame or embed it, and send
 * no referrer. HSTS is missing on purpose: the service speaks HTTP, and only the proxy in front of it knows whether its
 * host is HTTPS for good.
 */
export const SECURITY_HEADERS = {
  "X-Content-Type-Options": "nosniff",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "X-Frame-Options": "DENY",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
} as const;

const ENTRIES = Object.entries(SECURITY_HEADERS);

/** Sets the headers of every response: its request's ID, and the security headers. A route may override them. */
export const setCommonHeaders: Middleware = ({ req, res }, next) => {
  res.setHeader(REQUEST_ID_HEADER, requestIdOf(req));
  for (const [name, value] of ENTRIES) res.setHeader(name, value);
  return next();
};
