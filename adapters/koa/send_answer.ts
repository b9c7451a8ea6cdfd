import { hash } from "node:crypto";

import type { Context } from "koa";

import type { Answer } from "../../core/query/answer.ts";
import type { Answered } from "../../core/query/summary_cache.ts";

/**
 * A reader may keep an answer, and must ask each time whether it still holds. An age of even a second
 * would come on top of the second within which a new event has to show; asking costs a 304.
 */
const CACHE_CONTROL = "private, max-age=0, must-revalidate";

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
export const sendAnswer = (ctx: Context, { answer, tier }: Answered, tookMs: number): void => {
  const headers = {
    ETag: tagOf(answer),
    "Cache-Control": CACHE_CONTROL,
    "Server-Timing": `cache;desc="${tier}";dur=${tookMs.toFixed(2)}`,
  };
  if (hasIt(ctx, headers.ETag)) {
    ctx.status = 304;
    ctx.set(headers);
    return;
  }
  ctx.respond = false;
  ctx.res.writeHead(200, {
    ...headers,
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": Buffer.byteLength(answer.text),
  });
  ctx.res.end(answer.text);
};

/** Whether the client has what the tag is of. */
const hasIt = (ctx: Context, tag: string): boolean => {
  if (ctx.req.headers["if-none-match"] === undefined) return false;
  // Koa compares the request with the response as it stands.
  ctx.status = 200;
  ctx.set("ETag", tag);
  return ctx.fresh;
};
