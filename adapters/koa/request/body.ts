import type { IncomingMessage } from "node:http";

import { Result } from "effect";

import type { FairSemaphore } from "../../../core/fair/fair_semaphore.ts";
import { present } from "../../../core/invariant.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import type { Bodies, BodyFault, Charge, Intake } from "./bodies.ts";
import { type HeldBytes, makeGrowingBuffer } from "./growing_buffer.ts";
import { ENGINES, inflate, type Inflation, type MakeEngine } from "./inflate.ts";

/** A request body, received and decompressed. */
export interface Body {
  readonly bytes: Uint8Array;
  /**
   * Frees the memory and takes it off the client's charge. To be called as soon as the body is
   * decoded or abandoned; `bytes` must not be used afterwards. Idempotent.
   */
  readonly release: () => void;
}

export type ReadBody = Result.Result<Body, BodyFault>;

/**
 * Reads a body whose headers declare it as JSON. It has at most `BODY_BYTES_MAX` bytes before and
 * after decompression, whatever its headers say. All of its memory is charged to the client until
 * it is released, also while it waits and is inflated. If the client leaves, nothing remains
 * charged and the result is `RequestTruncated`.
 *
 * @param client as `clientOf` names it
 */
export const readBody = async (
  bodies: Bodies,
  request: IncomingMessage,
  client: string,
): Promise<ReadBody> => {
  const intake = present(
    bodies.intakeOf(request),
    "the server must call Bodies.receive for every request",
  );
  const contentType = request.headers["content-type"] ?? "";
  if (!isJsonType(contentType)) intake.drop({ _tag: "ContentTypeUnsupported", contentType });
  const encoding = (request.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  const makeEngine = ENGINES[encoding];
  if (makeEngine === undefined) intake.drop({ _tag: "ContentEncodingUnsupported", encoding });
  intake.chargeTo(client);
  await new Promise<void>(intake.whenSettled);
  const fault = intake.fault();
  if (fault !== undefined) return Result.fail(fault);
  if (makeEngine === undefined || makeEngine === "none") {
    return Result.succeed(bodyOf(intake.handOver(), intake.charge));
  }
  return inflateBody(intake, { makeEngine, encoding, inflations: bodies.inflations, client });
};

const isJsonType = (contentType: string): boolean =>
  /^application\/json[ \t]*(?:;|$)/i.test(contentType) &&
  [...contentType.matchAll(CHARSET)].every(([, charset = ""]) => /^utf-?8$/i.test(charset));

// RFC 9110 has double quotes only; some clients send single ones.
const CHARSET = /;[ \t]*charset[ \t]*=[ \t]*["']?([^\s"';]*)/gi;

const bodyOf = (held: HeldBytes, charge: Charge): Body => ({
  bytes: held.bytes(),
  release: () => {
    held.free();
    charge.release();
  },
});

interface InflateOptions {
  readonly makeEngine: MakeEngine;
  readonly encoding: string;
  readonly inflations: FairSemaphore;
  readonly client: string;
}

const inflateBody = (
  intake: Intake,
  { makeEngine, encoding, inflations, client }: InflateOptions,
): Promise<ReadBody> =>
  new Promise((resolve) => {
    const { charge } = intake;
    const compressed = intake.handOver();
    let refusal: BodyFault | undefined;
    const inflated = makeGrowingBuffer(BODY_BYTES_MAX, (bytes) => {
      refusal = charge.add(bytes);
      return refusal === undefined;
    });
    let inflation: Inflation | undefined;
    const finish = (result: ReadBody): void => {
      stopWatching();
      leave();
      resolve(result);
    };
    const fail = (fault: BodyFault): void => {
      // The engine may still read the compressed bytes: the garbage collector frees them.
      inflation?.stop();
      inflated.free();
      charge.release();
      finish(Result.fail(fault));
    };
    const stopWatching = intake.whenGone(() => {
      fail({ _tag: "RequestTruncated" });
    });
    const leave = inflations.enter(client, () => {
      inflation = inflate(
        makeEngine,
        compressed.bytes(),
        (piece) => {
          if (inflated.length() + piece.length > BODY_BYTES_MAX) fail({ _tag: "BodyTooLarge" });
          else if (!inflated.append(piece) && refusal !== undefined) fail(refusal);
        },
        (error) => {
          if (error !== undefined) {
            fail({ _tag: "BodyNotInflatable", encoding, message: error.message });
            return;
          }
          charge.subtract(compressed.capacity());
          compressed.free();
          finish(Result.succeed(bodyOf(inflated, charge)));
        },
      );
    });
  });
