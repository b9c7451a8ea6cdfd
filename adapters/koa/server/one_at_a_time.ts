import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { makeShares } from "../../../core/fair/shares.ts";
import { clientAddress } from "../access/client_address.ts";
import { PIPELINED_MAX, PIPELINED_OF_ALL_MAX } from "../limits.ts";
import { abandon } from "./abandon.ts";

export interface OneAtATime {
  /** Takes what Node emits for each request, and answers it when its turn has come. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  /** The last request of a connection that is being answered, or was; undefined before its first. */
  readonly currentOf: (socket: Socket) => ServerResponse | undefined;
  /** What the last request that was read on a connection is or will be answered with. */
  readonly lastOf: (socket: Socket) => ServerResponse | undefined;
}

export interface OneAtATimeOptions {
  /** Answers a request. */
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
  /** Called when a connection is closed because too many requests wait on it. */
  readonly onTooMany: () => void;
}

interface Waiting {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** The requests of one connection. */
interface Line {
  /** What is being answered, or was last. */
  current: ServerResponse;
  /** What waits behind it. */
  readonly waiting: Waiting[];
  /** The address that they are counted for, once the first has waited; of nearly all connections none ever does. */
  client: string | undefined;
}

/**
 * Answers the requests of each connection strictly one after the other. Node emits all requests that a client has sent
 * without waiting for answers (pipelining) as soon as it has read them, thousands in one go. Here the next one begins when
 * the answer before it was handed to the connection, and after other connections have had their turn. A connection on which
 * more than `PIPELINED_MAX` wait is closed. (To stop reading from it instead would hide that its client is gone.)
 *
 * For a client that waits for its answers this costs two look-ups and no allocation but the first time.
 */
export const makeOneAtATime = ({ answer, onTooMany }: OneAtATimeOptions): OneAtATime => {
  const lines = new WeakMap<Socket, Line>();
  const shares = makeShares(PIPELINED_OF_ALL_MAX);

  const startNext = (socket: Socket, line: Line): void => {
    if (socket.destroyed) return;
    const { waiting, client = "" } = line;
    const next = waiting.shift();
    if (next === undefined) return;
    shares.giveBack(client, 1);
    line.current = next.response;
    if (waiting.length > 0) startNextAfter(socket, line);
    answer(next.request, next.response);
  };

  const startNextAfter = (socket: Socket, line: Line): void => {
    line.current.once("close", () => {
      setImmediate(startNext, socket, line);
    });
  };

  /** Returns the address that the requests of a connection are counted for. */
  const watch = (socket: Socket, line: Line): string => {
    const client = clientAddress(socket.remoteAddress ?? "");
    socket.once("close", () => {
      shares.giveBack(client, line.waiting.length);
      for (const { response } of line.waiting.splice(0)) tellClosed(response);
    });
    return client;
  };

  const wait = (line: Line, request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    if (socket.destroyed) return tellClosed(response);
    line.client ??= watch(socket, line);
    if (line.waiting.length >= PIPELINED_MAX || shares.take(line.client, 1) !== undefined) {
      onTooMany();
      abandon(socket);
      return tellClosed(response);
    }
    line.waiting.push({ request, response });
    if (line.waiting.length === 1) startNextAfter(socket, line);
    return undefined;
  };

  return {
    handle: (request, response) => {
      const { socket } = request;
      const line = lines.get(socket);
      if (line === undefined) {
        lines.set(socket, { current: response, waiting: [], client: undefined });
      } else if (line.waiting.length > 0 || !isOver(line.current)) {
        wait(line, request, response);
        return;
      } else {
        line.current = response;
      }
      answer(request, response);
    },

    currentOf: (socket) => lines.get(socket)?.current,

    lastOf: (socket) => {
      const line = lines.get(socket);
      return line?.waiting.at(-1)?.response ?? line?.current;
    },
  };
};

/** Node does so for the response that is being written, and says nothing of those behind it. */
const tellClosed = (response: ServerResponse): void => {
  response.emit("close");
};

/** Node takes the socket from a response when it was handed over whole. */
const isOver = (response: ServerResponse): boolean => response.socket === null;
