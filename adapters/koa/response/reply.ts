import { hash } from "node:crypto";

import type { Context } from "koa";

import { noteProblem } from "../telemetry/observe.ts";
import { REQUEST_ID_HEADER, requestIdOf } from "../telemetry/request_id.ts";
import { headersOf, type Problem } from "./problem.ts";

type Headers = Readonly<Record<string, string>>;

/** A successful answer to a request. */
export interface Reply {
  /** 200 unless given. */
  readonly status?: number;
  readonly headers?: Headers;
  /** Text, or what becomes JSON. */
  readonly body?: unknown;
}

const NO_STORE = { "Cache-Control": "no-store" };

/** A reply that no cache may store: it is read afresh each time. */
export const uncached = (body: unknown, status = 200): Reply => ({
  status,
  headers: NO_STORE,
  body,
});

/** A reply that stays the same as long as the process runs. The next process may differ. */
export const constantReply = (text: string, type: string, headers: Headers = {}): Reply => ({
  headers: {
    ...headers,
    "Content-Type": type,
    "Cache-Control": "no-cache",
    ETag: `"${hash("sha1", text, "base64url")}"`,
  },
  body: text,
});

/**
 * Sent with every response: a browser must trust its Content-Type, run nothing, let no page frame
 * or embed it, and send no referrer. HSTS is missing on purpose: the service speaks HTTP, and only
 * the proxy in front of it knows whether its host is HTTPS for good.
 */
export const SECURITY_HEADERS = {
  "X-Content-Type-Options": "nosniff",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "X-Frame-Options": "DENY",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
} as const;

/** Sends a reply, or 304 to a client that already has what its `ETag` identifies. */
export const sendReply = (ctx: Context, { status = 200, headers = {}, body }: Reply): void => {
  const { ETag: tag } = headers;
  if (tag !== undefined && ctx.req.headers["if-none-match"] !== undefined && isFresh(ctx, tag)) {
    const { "Content-Type": _, ...rest } = headers;
    send(ctx, 304, rest);
  } else if (body === undefined || typeof body === "string") send(ctx, status, headers, body);
  else send(ctx, status, { "Content-Type": JSON_TYPE, ...headers }, JSON.stringify(body));
};

/** Sends a problem document. */
export const sendProblem = (ctx: Context, problem: Problem): void => {
  noteProblem(ctx, problem);
  const body = { ...problem, request_id: requestIdOf(ctx.req) };
  send(ctx, problem.status, headersOf(problem), JSON.stringify(body));
};

const JSON_TYPE = "application/json; charset=utf-8";

const isFresh = (ctx: Context, tag: string): boolean => {
  // Koa compares the request with the response as it stands.
  ctx.status = 200;
  ctx.set("ETag", tag);
  return ctx.fresh;
};

/**
 * Writes every response, without koa's handling of bodies: that costs a sixth of a cached summary.
 * Node sends a list of names and values as it is; as an object, headers cost another twentieth.
 */
const send = (ctx: Context, status: number, headers: Headers, text = ""): void => {
  const { req, res } = ctx;
  const list = [...commonHeaderList(headers), REQUEST_ID_HEADER, requestIdOf(req)];
  for (const name in headers) list.push(name, headers[name] as string);
  if (status !== 204 && status !== 304) {
    list.push("Content-Length", String(Buffer.byteLength(text)));
  }
  res.writeHead(status, list);
  res.end(text);
};

const SECURITY_HEADER_LIST: ReadonlyArray<string> = Object.entries(SECURITY_HEADERS).flat();

/** The security headers that a reply does not override. */
const commonHeaderList = (headers: Headers): ReadonlyArray<string> =>
  Object.keys(SECURITY_HEADERS).some((name) => headers[name] !== undefined)
    ? Object.entries(SECURITY_HEADERS).flatMap((pair) =>
        headers[pair[0]] === undefined ? pair : [],
      )
    : SECURITY_HEADER_LIST;
