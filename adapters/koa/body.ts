import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import * as zlib from "node:zlib";

import { Result } from "effect";

import { parseJson } from "../../core/json/parse.ts";
import { QueueFull } from "../../core/queue/queue.ts";
import type { BodyBudget } from "./body_budget.ts";
import { BODY_BYTES_MAX } from "./limits.ts";
import type { RequestFault } from "./problem.ts";
import type { Turns } from "./turns.ts";

type Read<A> = Result.Result<A, RequestFault | QueueFull>;

/**
 * Reads a JSON body. Memory is bounded by `BODY_BYTES_MAX` before and after decompression, whatever the
 * client sends or claims to send, and by the budget for all bodies that are being received, or wait for their
 * turn to be parsed.
 */
export const readJson = async (
  request: IncomingMessage,
  budget: BodyBudget,
  turns: Turns,
): Promise<Read<unknown>> => {
  const contentType = request.headers["content-type"] ?? "";
  if (!isJsonType(contentType))
    return refuse(request, { _tag: "ContentTypeUnsupported", contentType });
  const encoding = (request.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  const inflate = INFLATE[encoding];
  if (inflate === undefined)
    return refuse(request, { _tag: "ContentEncodingUnsupported", encoding });

  const ready = await receive(request, budget, async (body) => {
    const inflated = await inflateWith(inflate, body, encoding);
    if (Result.isSuccess(inflated)) await turns.wait(inflated.success.length);
    return inflated;
  });
  return Result.isFailure(ready) ? ready : parse(ready.success);
};

const isJsonType = (contentType: string): boolean =>
  /^application\/json[ \t]*(?:;|$)/i.test(contentType) &&
  [...contentType.matchAll(CHARSET)].every(([, charset = ""]) => /^utf-?8$/i.test(charset));

const CHARSET = /;[ \t]*charset[ \t]*=[ \t]*"?([^\s";]*)/gi;

const parse = (bytes: Buffer): Read<unknown> => {
  if (bytes.length === 0) return malformed("The body is empty.");
  // Decoding would replace what is not UTF-8, and so change ids without a word.
  if (!isUtf8(bytes)) return malformed("The body is not UTF-8.");
  const text = bytes.toString("utf8");
  // The parser's own message would show it, which is to say nothing.
  if (text.startsWith("\ufeff")) {
    return malformed("The body begins with a byte order mark (U+FEFF). Leave it out.");
  }
  const parsed = parseJson(text);
  return Result.mapError(parsed, ({ message }): RequestFault => {
    // It quotes the body, and may cut a surrogate pair in two.
    return { _tag: "JsonMalformed", message: `${message.toWellFormed()}.` };
  });
};

const malformed = (message: string): Read<never> => Result.fail({ _tag: "JsonMalformed", message });

/** Answers without the body, which is then thrown away as it comes in. */
const refuse = (request: IncomingMessage, fault: RequestFault | QueueFull): Read<never> => {
  request.resume();
  return Result.fail(fault);
};

/** A body that was received and made ready; what it takes of the budget it gives back only then. */
const receive = async (
  request: IncomingMessage,
  budget: BodyBudget,
  makeReady: (body: Buffer) => Promise<Read<Buffer>>,
): Promise<Read<Buffer>> => {
  if (Number(request.headers["content-length"] ?? 0) > BODY_BYTES_MAX) {
    return refuse(request, { _tag: "BodyTooLarge" });
  }
  let taken = 0;
  const take = (bytes: number): boolean => {
    if (!budget.take(bytes)) return false;
    taken += bytes;
    return true;
  };
  const received = await collect(request, take);
  const ready = Result.isFailure(received) ? received : await makeReady(received.success);
  budget.giveBack(taken);
  return ready;
};

const collect = (
  request: IncomingMessage,
  take: (bytes: number) => boolean,
): Promise<Read<Buffer>> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const stop = (fault: RequestFault | QueueFull): void => {
      request.off("data", onData);
      resolve(refuse(request, fault));
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) stop({ _tag: "BodyTooLarge" });
      else if (!take(chunk.length)) stop(new QueueFull({ retryAfterSeconds: 1 }));
      else chunks.push(chunk);
    };
    request.on("data", onData);
    request.once("end", () => {
      resolve(Result.succeed(Buffer.concat(chunks)));
    });
    // The client went away in the middle, and will not read this.
    request.once("close", () => {
      resolve(Result.fail({ _tag: "RequestTruncated" }));
    });
    // What the error is does not matter: the close that follows is what ends the reading.
    request.once("error", () => {});
  });

// `maxOutputLength` stops a bomb while it inflates, not after.
const OPTIONS = { maxOutputLength: BODY_BYTES_MAX };
const gunzip = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.gunzip);
const brotli = promisify<zlib.InputType, zlib.BrotliOptions, Buffer>(zlib.brotliDecompress);
const inflateZlib = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.inflate);
const inflateRaw = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.inflateRaw);

type Inflate = (body: Buffer) => Promise<Buffer>;

// "deflate" means the zlib format (RFC 9110); some clients send the bare one.
const isZlib = (body: Buffer): boolean =>
  body.length >= 2 && ((body[0] ?? 0) & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0;

const INFLATE: Readonly<Record<string, Inflate | undefined>> = {
  __proto__: null as never,
  identity: async (body) => body,
  gzip: (body) => gunzip(body, OPTIONS),
  "x-gzip": (body) => gunzip(body, OPTIONS),
  deflate: (body) => (isZlib(body) ? inflateZlib(body, OPTIONS) : inflateRaw(body, OPTIONS)),
  br: (body) => brotli(body, OPTIONS),
};

const inflateWith = async (
  inflate: Inflate,
  body: Buffer,
  encoding: string,
): Promise<Read<Buffer>> => {
  try {
    return Result.succeed(await inflate(body));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ERR_BUFFER_TOO_LARGE") return Result.fail({ _tag: "BodyTooLarge" });
    const message = error instanceof Error ? error.message : "unknown";
    return Result.fail({ _tag: "BodyNotInflatable", encoding, message });
  }
};
