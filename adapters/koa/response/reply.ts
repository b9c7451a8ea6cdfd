import { hash } from "node:crypto";

import type { Context } from "koa";

import { noteProblem } from "../telemetry/observe.ts";
import { requestIdOf } from "../telemetry/request_id.ts";
import { headersOf, type Problem } from "./problem.ts";

/** A successful answer to a request. */
export interface Reply {
  /** 200 unless given. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
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

/** A reply that stays the same for as long as the process runs. The next process may have another. */
export const constantReply = (
  text: string,
  type: string,
  headers: Reply["headers"] = {},
): Reply => ({
  headers: {
    ...headers,
    "Content-Type": type,
    "Cache-Control": "no-cache",
    ETag: `"${hash("sha1", text, "base64url")}"`,
  },
  body: text,
});

/** Sends a reply, or 304 to a client that already has what its `ETag` identifies. */
export const sendReply = (ctx: Context, { status = 200, headers, body }: Reply): void => {
  ctx.status = status;
  if (headers !== undefined) {
    for (const name in headers) ctx.res.setHeader(name, headers[name] as string);
  }
  const isConditional = ctx.req.headers["if-none-match"] !== undefined;
  if (isConditional && headers?.["ETag"] !== undefined && ctx.fresh) ctx.status = 304;
  else if (body !== undefined) ctx.body = body;
};

/** Sends a problem document. */
export const sendProblem = (ctx: Context, problem: Problem): void => {
  noteProblem(ctx, problem);
  ctx.status = problem.status;
  ctx.body = { ...problem, request_id: requestIdOf(ctx.req) };
  // After the body, which sets a content type.
  ctx.set(headersOf(problem));
};
