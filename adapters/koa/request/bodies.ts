import type { IncomingMessage, ServerResponse } from "node:http";

import { type FairSemaphore, makeFairSemaphore } from "../../../core/fair/fair_semaphore.ts";
import { makeShares, type Refusal, type Shares } from "../../../core/fair/shares.ts";
import { QueueFull } from "../../../core/queue/queue.ts";
import { addressOfRequest } from "../access/client_address.ts";
import {
  BODY_BYTES_MAX,
  BODY_PIECE_BYTES_MIN,
  BODY_PIECES_MAX,
  INFLATIONS_MAX,
  PACE,
} from "../limits.ts";
import type { RequestFault } from "../response/problem.ts";
import { abandon } from "../server/abandon.ts";
import { whenGone } from "./client_gone.ts";
import {
  type GrowingBuffer,
  type HeldBytes,
  heldPiece,
  makeGrowingBuffer,
} from "./growing_buffer.ts";

/** Why a body was not read. */
export type BodyFault = RequestFault | QueueFull;

/** What request bodies hold: receives them, and bounds the memory of all of them and of each client's. */
export interface Bodies {
  /**
   * Begins to receive the body of a request: called as soon as its headers were read, whoever it comes from and whether or
   * not somebody will read it, because its bytes are kept from then on.
   */
  readonly receive: (request: IncomingMessage, response: ServerResponse) => void;
  /** The body of a request that is being received; undefined if it has none that could be read. */
  readonly intakeOf: (request: IncomingMessage) => Intake | undefined;
  /** Bounds how many bodies are inflated at once. */
  readonly inflations: FairSemaphore;
  /** How many bytes of memory all bodies hold. */
  readonly held: () => number;
}

export interface BodiesOptions {
  /** The most bytes of memory that all bodies may hold together. */
  readonly bytesMax: number;
  /** How many proxies stand before the service, and tell it in X-Forwarded-For who asks. */
  readonly proxies: number;
  /** How fast a body has to come in while memory is short. */
  readonly pace?: typeof PACE;
  /** Called when memory was refused, with the bound that it would have passed. */
  readonly onRefused?: (refusal: Refusal) => void;
  /** Called when a connection is closed because its body comes in too many pieces. */
  readonly onFragmented?: () => void;
}

/** The memory of one body, as it is charged to the client that sends it. */
export interface Charge {
  /** Adds bytes; undefined if that was possible, else nothing was added. */
  readonly add: (bytes: number) => BodyFault | undefined;
  /** Takes off what was freed. */
  readonly subtract: (bytes: number) => void;
  /** Charges another client instead. If that one has no room, nothing is charged any more. */
  readonly moveTo: (client: string) => BodyFault | undefined;
  /** Takes off everything. */
  readonly release: () => void;
}

/** A body that is being received. */
export interface Intake {
  readonly charge: Charge;
  /** Calls back once the body is complete, or was dropped; at once if it is. */
  readonly whenSettled: (callback: () => void) => void;
  /** Why it was dropped; undefined if it was not. */
  readonly fault: () => BodyFault | undefined;
  /** Keeps nothing of it, and throws away what is still to come; does nothing once it was handed over. */
  readonly drop: (fault: BodyFault) => void;
  /** Charges another client from now on, once it is known who it is; the body is dropped if that one has no room for it. */
  readonly chargeTo: (client: string) => void;
  /** Hands a complete body over to whoever reads it, who frees it and takes off what is charged. */
  readonly handOver: () => HeldBytes;
  /** Calls back if the client leaves before it was answered; returns what ends the watching. */
  readonly whenGone: (callback: () => void) => () => void;
}

/** Where a request has its intake. (A weak map of them costs 20 µs of garbage collection a request.) */
const INTAKE = Symbol("tidemark.intake");

interface Received extends IncomingMessage {
  [INTAKE]?: Intake;
}

/** How many of those that are being received longest are looked at when memory is short. */
const STALLED_LOOKED_AT = 16;

const RETRY_AFTER_SECONDS = 1;

export const makeBodies = (options: BodiesOptions): Bodies => {
  const { bytesMax, proxies, pace = PACE, onRefused = () => {}, onFragmented = () => {} } = options;
  const shares = makeShares(bytesMax);
  /** By when they began. */
  const receiving = new Set<Receiving>();

  /** Gives up bodies that hardly come in, so that whoever holds the memory has to send for it. */
  const dropStalled = (): void => {
    const now = performance.now();
    let lookedAt = 0;
    for (const each of receiving) {
      const sentMs = now - each.since;
      if (sentMs < pace.graceMs || ++lookedAt > STALLED_LOOKED_AT) return;
      receiving.delete(each);
      if (each.length() < (sentMs / 1_000) * pace.bytesPerSecond) {
        each.drop({ _tag: "RequestTooSlow" });
      } else {
        receiving.add(each);
      }
    }
  };

  const take = (client: string, bytes: number): BodyFault | undefined => {
    let refusal = shares.take(client, bytes);
    if (refusal === "full") {
      dropStalled();
      refusal = shares.take(client, bytes);
    }
    if (refusal === undefined) return undefined;
    onRefused(refusal);
    return refusal === "share"
      ? { _tag: "BodyShareExceeded", retryAfterSeconds: RETRY_AFTER_SECONDS }
      : new QueueFull({ retryAfterSeconds: RETRY_AFTER_SECONDS });
  };

  return {
    receive: (request, response) => {
      if (request.method !== "POST") {
        if (hasBody(request)) discard(request, onFragmented);
        return;
      }
      const charge = makeCharge(shares, take, `address:${addressOfRequest(request, proxies)}`);
      const received: Received = request;
      received[INTAKE] = receiveBody(request, response, charge, receiving, onFragmented);
    },
    intakeOf: (request: Received) => request[INTAKE],
    inflations: makeFairSemaphore(INFLATIONS_MAX),
    held: shares.held,
  };
};

const makeCharge = (
  shares: Shares,
  take: (client: string, bytes: number) => BodyFault | undefined,
  address: string,
): Charge => {
  let client = address;
  let charged = 0;
  return {
    add: (bytes) => {
      const fault = take(client, bytes);
      if (fault === undefined) charged += bytes;
      return fault;
    },
    subtract: (bytes) => {
      charged -= bytes;
      shares.giveBack(client, bytes);
    },
    moveTo: (next) => {
      if (next === client) return undefined;
      shares.giveBack(client, charged);
      const fault = take(next, charged);
      if (fault !== undefined) charged = 0;
      client = next;
      return fault;
    },
    release: () => {
      shares.giveBack(client, charged);
      charged = 0;
    },
  };
};

interface Receiving {
  /** When it began, by `performance.now`. */
  readonly since: number;
  readonly length: () => number;
  readonly drop: (fault: BodyFault) => void;
}

const receiveBody = (
  request: IncomingMessage,
  response: ServerResponse,
  charge: Charge,
  receiving: Set<Receiving>,
  onFragmented: () => void,
): Intake => {
  const announced = Number(request.headers["content-length"] ?? -1);
  const count = makePieceCount(request, onFragmented);
  let state: "receiving" | "complete" | "dropped" | "handed over" = "receiving";
  let fault: BodyFault | undefined;
  let onSettled: (() => void) | undefined;
  /** The body, if it came in one piece as nearly all do: there is nothing to put together. */
  let whole: HeldBytes | undefined;
  let refusal: BodyFault | undefined;
  const mayHold = (bytes: number): boolean => {
    refusal = charge.add(bytes);
    return refusal === undefined;
  };
  /** The body, if it came in several. */
  let buffer: GrowingBuffer | undefined;

  const settle = (): void => {
    receiving.delete(intake);
    onSettled?.();
    onSettled = undefined;
  };
  const drop = (why: BodyFault): void => {
    if (state !== "receiving" && state !== "complete") return;
    state = "dropped";
    fault = why;
    whole = undefined;
    buffer?.free();
    charge.release();
    settle();
  };
  const keep = (piece: Uint8Array): void => {
    if (piece.length !== announced) {
      buffer ??= makeGrowingBuffer(announced >= 0 ? announced : BODY_BYTES_MAX, mayHold);
      if (!buffer.append(piece) && refusal !== undefined) drop(refusal);
    } else if (mayHold(piece.length)) whole = heldPiece(piece);
    else if (refusal !== undefined) drop(refusal);
  };

  const intake: Intake & Receiving = {
    since: performance.now(),
    length: count.length,
    charge,
    whenSettled: (callback) => {
      if (state === "receiving") onSettled = callback;
      else callback();
    },
    fault: () => fault,
    drop,
    handOver: () => {
      state = "handed over";
      return whole ?? buffer ?? heldPiece(new Uint8Array());
    },
    chargeTo: (client) => {
      if (state !== "receiving" && state !== "complete") return;
      const full = charge.moveTo(client);
      if (full !== undefined) drop(full);
    },
    whenGone: (callback) => whenGone(response, callback),
  };
  receiving.add(intake);
  request.on("data", (piece: Buffer) => {
    if (count.add(piece) > 1) drop({ _tag: "BodyFragmented" });
    else if (count.length() > BODY_BYTES_MAX) drop({ _tag: "BodyTooLarge" });
    if (state === "receiving") keep(piece);
  });
  request.once("end", () => {
    if (state !== "receiving") return;
    state = "complete";
    settle();
  });
  // What the error is does not matter: the close of the response, which follows, ends the receiving.
  request.once("error", () => {});
  // The client is gone, or was answered without a look at its body.
  response.once("close", () => {
    drop({ _tag: "RequestTruncated" });
  });
  if (announced > BODY_BYTES_MAX) drop({ _tag: "BodyTooLarge" });
  return intake;
};

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

/** Throws a body away as it comes in; until somebody reads it, Node would keep 64 KiB of it, piece by piece. */
const discard = (request: IncomingMessage, onFragmented: () => void): void => {
  const count = makePieceCount(request, onFragmented);
  request.on("data", count.add);
  request.once("error", () => {});
};

/**
 * Counts the pieces of a body. Each costs a microsecond, a buffer of its own and some 270 bytes, however small it is; so
 * somebody who sends single bytes as chunks buys with each of them as much time as others with 64 KiB.
 */
const makePieceCount = ({ socket }: IncomingMessage, onFragmented: () => void) => {
  let pieces = 0;
  let length = 0;
  return {
    length: () => length,
    /** Returns above 1 when there are too many pieces for their length; above 2 the connection is closed. */
    add: (piece: Uint8Array): number => {
      pieces++;
      length += piece.length;
      const part = pieces / (BODY_PIECES_MAX + length / BODY_PIECE_BYTES_MIN);
      if (part > 2 && !socket.destroyed) {
        onFragmented();
        abandon(socket);
      }
      return part;
    },
  };
};
