import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import * as zlib from "node:zlib";

import { Result } from "effect";

import { parseJson } from "../../core/json/parse.ts";
import { BODY_BYTES_MAX } from "./limits.ts";
import type { RequestFault } from "./problem.ts";

type Read<A> = Result.Result<A, RequestFault>;

/**
 * Reads a JSON body. Memory is bounded by `BODY_BYTES_MAX` before and after decompression, whatever the
 * client sends or claims to send.
 */
export const readJson = async (request: IncomingMessage): Promise<Read<unknown>> => {
  const contentType = request.headers["content-type"] ?? "";
  if (!JSON_TYPE.test(contentType))
    return refuse(request, { _tag: "ContentTypeUnsupported", contentType });
  const encoding = (request.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  const inflate = INFLATE[encoding];
  if (inflate === undefined)
    return refuse(request, { _tag: "ContentEncodingUnsupported", encoding });

  const received = await receive(request);
  if (Result.isFailure(received)) return received;
  const inflated = await inflate(received.success);
  if (Result.isFailure(inflated)) return inflated;
  return parse(inflated.success);
};

const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?(?:;.*)?$/i;

const parse = (bytes: Buffer): Read<unknown> => {
  if (bytes.length === 0) return malformed("The body is empty.");
  // Decoding would replace what is not UTF-8, and so change ids without a word.
  if (!isUtf8(bytes)) return malformed("The body is not UTF-8.");
  return parseJson(bytes.toString("utf8"));
};

const malformed = (message: string): Read<never> => Result.fail({ _tag: "JsonMalformed", message });

/** Answers without the body, which is then thrown away as it comes in. */
const refuse = (request: IncomingMessage, fault: RequestFault): Read<never> => {
  request.resume();
  return Result.fail(fault);
};

const receive = (request: IncomingMessage): Promise<Read<Buffer>> => {
  if (Number(request.headers["content-length"] ?? 0) > BODY_BYTES_MAX) {
    return Promise.resolve(refuse(request, { _tag: "BodyTooLarge" }));
  }
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) {
        request.off("data", onData);
        resolve(refuse(request, { _tag: "BodyTooLarge" }));
      } else chunks.push(chunk);
    };
    request.on("data", onData);
    request.once("end", () => {
      resolve(Result.succeed(Buffer.concat(chunks)));
    });
    // The client went away in the middle; it will hardly read this.
    request.once("close", () => {
      resolve(truncated("The connection was closed before the end of the body."));
    });
    request.once("error", () => {
      resolve(truncated("The connection failed before the end of the body."));
    });
  });
};

const truncated = (message: string): Read<never> => Result.fail({ _tag: "BodyTruncated", message });

// `maxOutputLength` stops a bomb while it inflates, not after.
const OPTIONS = { maxOutputLength: BODY_BYTES_MAX };
const gunzip = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.gunzip);
const brotli = promisify<zlib.InputType, zlib.BrotliOptions, Buffer>(zlib.brotliDecompress);
const inflateZlib = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.inflate);
const inflateRaw = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.inflateRaw);

type Inflate = (body: Buffer) => Promise<Read<Buffer>>;

const inflating =
  (decompress: (body: Buffer) => Promise<Buffer>): Inflate =>
  async (body) => {
    try {
      return Result.succeed(await decompress(body));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "ERR_BUFFER_TOO_LARGE") return Result.fail({ _tag: "BodyTooLarge" });
      const message = error instanceof Error ? error.message : "unknown";
      return truncated(`The body cannot be decompressed: ${message}.`);
    }
  };

// "deflate" means the zlib format (RFC 9110); some clients send the bare one.
const isZlib = (body: Buffer): boolean =>
  ((body[0] ?? 0) & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0;

const INFLATE: Readonly<Record<string, Inflate | undefined>> = {
  __proto__: null as never,
  identity: async (body) => Result.succeed(body),
  gzip: inflating((body) => gunzip(body, OPTIONS)),
  "x-gzip": inflating((body) => gunzip(body, OPTIONS)),
  deflate: inflating((body) =>
    body.length >= 2 && isZlib(body) ? inflateZlib(body, OPTIONS) : inflateRaw(body, OPTIONS),
  ),
  br: inflating((body) => brotli(body, OPTIONS)),
};
