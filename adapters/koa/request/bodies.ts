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
import { abandon } from "../server/client_error.ts";
import {
  type GrowingBuffer,
  type HeldBytes,
  heldPiece,
  makeGrowingBuffer,
} from "./growing_buffer.ts";

/** Why a body was not read. */
export type BodyFault = RequestFault | QueueFull;

/** Receives request bodies, and bounds the memory of all of them and of each client's. */
export interface Bodies {
  /**
   * Starts to receive the body of a request. To be called for every request as soon as its headers
   * are read, because Node buffers its body from then on.
   */
  readonly receive: (request: IncomingMessage, response: ServerResponse) => void;
  /** The body of a request that is being received; undefined if the request cannot have one. */
  readonly intakeOf: (request: IncomingMessage) => Intake | undefined;
  /** Bounds how many bodies are inflated concurrently. */
  readonly inflations: FairSemaphore;
  /** How many bytes of memory all bodies take. */
  readonly held: () => number;
}

export interface BodiesOptions {
  /** The most bytes of memory that all bodies may take together. */
  readonly bytesMax: number;
  /** How many proxies in front of the service append to X-Forwarded-For. */
  readonly proxies: number;
  /** How fast a body must arrive while memory is short. */
  readonly pace?: typeof PACE;
  /** Called when memory was refused, with the bound that would have been exceeded. */
  readonly onRefused?: (refusal: Refusal) => void;
  /** Called when a connection is closed because a body has too many pieces. */
  readonly onFragmented?: () => void;
}

/** The memory of one body, charged to the client that sends it. */
export interface Charge {
  /** Adds bytes, or returns why it added none. */
  readonly add: (bytes: number) => BodyFault | undefined;
  /** Takes off bytes that were freed. */
  readonly subtract: (bytes: number) => void;
  /** Charges another client instead. If that one has no room left, charges nothing any more. */
  readonly moveTo: (client: string) => BodyFault | undefined;
  /** Takes off everything. */
  readonly release: () => void;
}

/** A body that is being received. */
export interface Intake {
  readonly charge: Charge;
  /** Calls back when the body is complete or dropped; immediately if it is already. */
  readonly whenSettled: (callback: () => void) => void;
  /** Why it was dropped; undefined if it was not. */
  readonly fault: () => BodyFault | undefined;
  /** Discards the body, also what has yet to arrive; does nothing after `handOver`. */
  readonly drop: (fault: BodyFault) => void;
  /** Charges another client from now on; drops the body if that client has no room for it. */
  readonly chargeTo: (client: string) => void;
  /** Hands over a complete body. The caller frees it and releases the charge. */
  readonly handOver: () => HeldBytes;
  /** Calls back if the client leaves before the response is sent. Returns what stops watching. */
  readonly whenGone: (callback: () => void) => () => void;
}

/** Property of a request for its intake. A WeakMap costs 20 µs of garbage collection each. */
const INTAKE = Symbol("tidemark.intake");

interface Received extends IncomingMessage {
  [INTAKE]?: Intake;
}

/** How many bodies are checked for their pace when memory is short, starting with the oldest. */
const STALLED_CHECKED_MAX = 16;

const RETRY_AFTER_SECONDS = 1;

export const makeBodies = (options: BodiesOptions): Bodies => {
  const { bytesMax, proxies, pace = PACE, onRefused = () => {}, onFragmented = () => {} } = options;
  const shares = makeShares(bytesMax);
  /** In the order of their start. */
  const receiving = new Set<Receiving>();

  /** Drops bodies that arrive too slowly, so that nobody keeps memory without sending. */
  const dropStalled = (): void => {
    const now = performance.now();
    let checked = 0;
    for (const each of receiving) {
      const sentMs = now - each.since;
      if (sentMs < pace.graceMs || ++checked > STALLED_CHECKED_MAX) return;
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
  /** When it started, by `performance.now`. */
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
  /** The body if it arrives in one piece, as nearly all do. */
  let whole: HeldBytes | undefined;
  let refusal: BodyFault | undefined;
  const mayHold = (bytes: number): boolean => {
    refusal = charge.add(bytes);
    return refusal === undefined;
  };
  /** The body if it arrives in several pieces. */
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
  // The close of the response, which follows, drops the body.
  request.once("error", () => {});
  // The client has left, or was answered before its body was read.
  response.once("close", () => {
    drop({ _tag: "RequestTruncated" });
  });
  if (announced > BODY_BYTES_MAX) drop({ _tag: "BodyTooLarge" });
  return intake;
};

/**
 * Calls back if the client leaves before the response is sent; immediately if it has left.
 *
 * @returns a function that stops watching
 */
const whenGone = (response: ServerResponse, callback: () => void): (() => void) => {
  const onClose = (): void => {
    if (!response.writableFinished) callback();
  };
  if (response.closed) onClose();
  else response.once("close", onClose);
  return () => response.off("close", onClose);
};

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

/** Discards a body as it arrives. Node would buffer 64 KiB of an unread body, piece by piece. */
const discard = (request: IncomingMessage, onFragmented: () => void): void => {
  const count = makePieceCount(request, onFragmented);
  request.on("data", count.add);
  request.once("error", () => {});
};

/**
 * Counts the pieces of a body. Each costs a microsecond and a buffer with some 270 bytes of
 * overhead, however small it is, so that a client that sends single bytes as chunks takes as much
 * time for each as others for 64 KiB.
 */
const makePieceCount = ({ socket }: IncomingMessage, onFragmented: () => void) => {
  let pieces = 0;
  let length = 0;
  return {
    length: () => length,
    /** Returns over 1 for too many pieces; at over 2 it closes the connection. */
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
