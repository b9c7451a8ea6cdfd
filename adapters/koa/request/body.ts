import type { IncomingMessage } from "node:http";

import { Result } from "effect";

import type { FairSemaphore } from "../../../core/fair/fair_semaphore.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import type { Bodies, BodyFault, Charge, Intake } from "./bodies.ts";
import { type HeldBytes, makeGrowingBuffer } from "./growing_buffer.ts";
import { ENGINES, inflate, type Inflation, type MakeEngine } from "./inflate.ts";

/** A body as it was meant: received and inflated. */
export interface Body {
  readonly bytes: Uint8Array;
  /**
   * Frees the memory and takes it off what is charged to the client. To be called as soon as the body was decoded or
   * given up; `bytes` must not be used afterwards. Calling it again does nothing.
   */
  readonly release: () => void;
}

export type ReadBody = Result.Result<Body, BodyFault>;

/**
 * Reads a JSON body, and checks that it is said to be one. It has at most `BODY_BYTES_MAX` bytes before and after
 * decompression, whatever the client sends or claims to send, and all memory that it takes is charged to the client
 * until it is released, while it waits and is inflated too. If the client leaves, nothing is charged any more and the result is
 * `RequestTruncated`.
 *
 * @param client as `clientOf` names it
 */
export const readBody = async (
  bodies: Bodies,
  request: IncomingMessage,
  client: string,
): Promise<ReadBody> => {
  const intake = bodies.intakeOf(request);
  if (intake === undefined) throw new Error("The body of this request is not being received");
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

// RFC 9110 knows double quotes only; some clients send single ones and mean the same.
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
      // The engine may still read the compressed bytes, on another thread: they are left to the garbage collector.
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
