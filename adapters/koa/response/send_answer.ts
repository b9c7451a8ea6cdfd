import { hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

import type { Context } from "koa";

import type { Answer } from "../../../core/query/answer.ts";
import type { CachedAnswer } from "../../../core/query/summary_cache.ts";
import { REQUEST_ID_HEADER } from "../telemetry/request_id.ts";
import { SECURITY_HEADERS } from "./security_headers.ts";

/**
 * A reader may keep an answer, and must ask each time whether it still holds. An age of even a second
 * would come on top of the second within which a new event has to show; asking costs a 304.
 */
const CACHE_CONTROL = "private, max-age=0, must-revalidate";

const REVALIDATION_HEADERS = Object.entries({
  ...SECURITY_HEADERS,
  "Cache-Control": CACHE_CONTROL,
}).flat();

const CONSTANT_HEADERS = [
  ...REVALIDATION_HEADERS,
  "Content-Type",
  "application/json; charset=utf-8",
];

/** The tag of each answer that was given and is still kept: taking it again costs more than sending. */
const tags = new WeakMap<Answer, string>();

/**
 * The tag is of every byte, with `as_of`, so that a 304 means "what you have is what you would get": a
 * reader never goes on with a copy that is older than the oldest answer which may be given.
 */
const tagOf = (answer: Answer): string => {
  const known = tags.get(answer);
  if (known !== undefined) return known;
  const tag = `"${hash("sha1", answer.text, "base64url")}"`;
  tags.set(answer, tag);
  return tag;
};

/**
 * Answers with a text that is JSON already, or with 304 to who has it. The text goes out beside koa, which
 * would look at it as at any body.
 *
 * @param tookMs how long it took to come by the answer
 */
export const sendAnswer = (ctx: Context, answered: CachedAnswer, tookMs: number): void => {
  ctx.respond = false;
  write(ctx.res, answered, tookMs, undefined, (tag) => hasIt(ctx, tag));
};

/** The same beside all of koa, to a request, with the id that it was given, that names no tag, or one and no list. */
export const sendKept = (
  request: IncomingMessage,
  response: ServerResponse,
  answered: CachedAnswer,
  tookMs: number,
  requestId: string | undefined,
): void => {
  write(response, answered, tookMs, requestId, (tag) => request.headers["if-none-match"] === tag);
};

/** Writes an answer, or that the client has what its tag is of. */
const write = (
  response: ServerResponse,
  { answer, tier }: CachedAnswer,
  tookMs: number,
  requestId: string | undefined,
  has: (tag: string) => boolean,
): void => {
  const tag = tagOf(answer);
  const timing = `cache;desc="${tier}";dur=${tookMs.toFixed(2)}`;
  const own = ["ETag", tag, "Server-Timing", timing];
  if (requestId !== undefined) own.push(REQUEST_ID_HEADER, requestId);
  // A list of names and values goes out as it is, as long as no header was set one by one.
  if (has(tag)) {
    response.writeHead(304, [...REVALIDATION_HEADERS, ...own]);
    response.end();
    return;
  }
  const length = String(Buffer.byteLength(answer.text));
  response.writeHead(200, [...CONSTANT_HEADERS, ...own, "Content-Length", length]);
  response.end(answer.text);
};

/** Whether the client has what the tag is of. */
const hasIt = (ctx: Context, tag: string): boolean => {
  if (ctx.req.headers["if-none-match"] === undefined) return false;
  // Koa compares the request with the response as it stands.
  ctx.status = 200;
  ctx.set("ETag", tag);
  return ctx.fresh;
};
