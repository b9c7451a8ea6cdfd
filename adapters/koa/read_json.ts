import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";

import { Result } from "effect";

import { parseJson } from "../../core/json/parse.ts";
import type { Bodies, BodyFault } from "./bodies.ts";
import { readBody } from "./body.ts";
import type { Turns } from "./turns.ts";

type Read<A> = Result.Result<A, BodyFault>;

/** Reads a JSON body and parses it in its turn. Its memory is charged to the client until then. */
export const readJson = async (
  bodies: Bodies,
  request: IncomingMessage,
  client: string,
  turns: Turns,
): Promise<Read<unknown>> => {
  const body = await readBody(bodies, request, client);
  if (Result.isFailure(body)) return Result.fail(body.failure);
  const { bytes, release } = body.success;
  await turns.wait(bytes.length);
  const parsed = parse(bytes);
  release();
  return parsed;
};

const parse = (bytes: Uint8Array): Read<unknown> => {
  if (bytes.length === 0) return malformed("The body is empty.");
  // Decoding would replace what is not UTF-8, and so change ids without a word.
  if (!isUtf8(bytes)) return malformed("The body is not UTF-8.");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  // The parser's own message would show it, which is to say nothing.
  if (text.startsWith("\ufeff")) {
    return malformed("The body begins with a byte order mark (U+FEFF). Leave it out.");
  }
  const parsed = parseJson(text);
  return Result.mapError(parsed, ({ message }): BodyFault => {
    // It quotes the body, and may cut a surrogate pair in two.
    return { _tag: "JsonMalformed", message: `${message.toWellFormed()}.` };
  });
};

const malformed = (message: string): Read<never> => Result.fail({ _tag: "JsonMalformed", message });
