import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { makeShares } from "../../../core/fair/shares.ts";
import { clientAddress } from "../access/client_address.ts";
import { PIPELINED_MAX, PIPELINED_OF_ALL_MAX } from "../limits.ts";
import { abandon } from "./client_error.ts";

export interface OneAtATime {
  /** To be called for each request that Node emits; answers it in its turn. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  /** The response that a connection is sending, or sent last; undefined before the first. */
  readonly currentOf: (socket: Socket) => ServerResponse | undefined;
  /** The response to the last request that was read on a connection. */
  readonly lastOf: (socket: Socket) => ServerResponse | undefined;
}

export interface OneAtATimeOptions {
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
  /** Called when a connection is closed because too many of its requests wait. */
  readonly onTooMany: () => void;
}

interface Waiting {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** The requests of one connection. */
interface Line {
  /** The response that is being sent, or was sent last. */
  current: ServerResponse;
  readonly waiting: Waiting[];
  /** The address that they count for, once one has waited. On nearly all connections none does. */
  client: string | undefined;
}

/**
 * Answers the requests of each connection strictly one after the other. Node emits pipelined
 * requests as soon as it has read them, thousands in one go. Here the next one starts when the
 * response before it was handed to the connection, and after other connections have had their turn.
 * A connection on which more than `PIPELINED_MAX` wait is closed: to pause reading from it instead
 * would hide that its client has left.
 *
 * For clients that do not pipeline it costs two look-ups per request, and an allocation per
 * connection.
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

  /** Returns the address that the requests of a connection count for. */
  const watch = (socket: Socket, line: Line): string => {
    const client = clientAddress(socket.remoteAddress);
    socket.once("close", () => {
      shares.giveBack(client, line.waiting.length);
      for (const { response } of line.waiting.splice(0)) emitClose(response);
    });
    return client;
  };

  const wait = (line: Line, request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    if (socket.destroyed) return emitClose(response);
    line.client ??= watch(socket, line);
    if (line.waiting.length >= PIPELINED_MAX || shares.take(line.client, 1) !== undefined) {
      onTooMany();
      abandon(socket);
      return emitClose(response);
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

/** Node emits it only for the response that is being sent. */
const emitClose = (response: ServerResponse): void => {
  response.emit("close");
};

/** Node detaches a response from its socket when all of it was handed over. */
const isOver = (response: ServerResponse): boolean => response.socket === null;
