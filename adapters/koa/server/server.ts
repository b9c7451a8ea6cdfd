import {
  createServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";

import { makeShares } from "../../../core/fair/shares.ts";
import { clientAddress } from "../access/client_address.ts";
import {
  HEADERS_TIMEOUT_MS,
  RECEIVE_TIMEOUT_MS,
  SILENCE_TIMEOUT_MS,
  UNREAD_BYTES_MAX,
} from "../limits.ts";
import { answerClientError, refuseRaw } from "./client_error.ts";
import { LISTENERS, listenTogether } from "./listen.ts";
import { makeOneAtATime } from "./one_at_a_time.ts";
import { boundUnreadAnswers } from "./unread_answers.ts";

/** Answers requests; what it returns is not waited for, so it must settle its own failures. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => unknown;

export type RefusedConnection = "connection" | "address" | "pipelined" | "unread";

export interface ServerOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly listener: RequestListener;
  /** Called for each request as soon as its headers were read, before those ahead of it on its connection are answered. */
  readonly onArrival?: (request: IncomingMessage, response: ServerResponse) => void;
  /** How long a client may take to send its headers; tests have no time for the default. */
  readonly headersTimeoutMs?: number;
  /** How long a client may take to send a whole request. */
  readonly requestTimeoutMs?: number;
  /**
   * How long a client may neither send nor read anything in the middle of a request or of its answer. While it waits for an
   * answer it may.
   */
  readonly silenceTimeoutMs?: number;
  /** How many connections may be open; those beyond are closed at once. */
  readonly connectionsMax?: number;
  /**
   * Whether one address may have no more connections than are left free of `connectionsMax`; not for a server behind proxies,
   * whose connections all come from them.
   */
  readonly isFairByAddress?: boolean;
  /** The most bytes of answers that clients have not read yet. */
  readonly unreadBytesMax?: number;
  /**
   * Called when something was refused before it was a request: with the status of the answer, or with why a connection was
   * closed. `connection`: too many were open; `address`: of the same address; `pipelined`: too many requests waited on it; `unread`:
   * too much of its answers was not read.
   */
  readonly onRefused?: (reason: number | RefusedConnection) => void;
}

export interface Server {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  readonly url: string;
  /** Answers every later request with another listener. */
  readonly use: (listener: RequestListener) => void;
  /** How many connections are open. */
  readonly connections: () => number;
  /**
   * From now on every answer ends its connection, those included that are under way: clients go elsewhere before the server
   * closes. New connections are accepted all the same.
   */
  readonly drain: () => void;
  /**
   * Accepts no more connections, and returns when the last request was answered. Drains, too. A client that has not sent a
   * whole request, or read its answer, within `withinMs` is cut off.
   *
   * @param idleMs how long connections without a request stay open, so that a request which is on its way is answered; at most half
   * of `withinMs`
   */
  readonly close: (withinMs: number, idleMs?: number) => Promise<void>;
}

/** How often the timeouts are looked at. */
const TIMEOUT_CHECK_MS = 1_000;

/** Longer than the idle time of the usual load balancers, so that they never use a dying connection. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;

/** How often a closing server looks for connections that have become idle. */
const CLOSE_CHECK_MS = 20;

/**
 * Starts an HTTP server.
 *
 * @throws the error of `listen`, such as EADDRINUSE
 */
export const startServer = async (options: ServerOptions): Promise<Server> => {
  const {
    host,
    port,
    headersTimeoutMs = HEADERS_TIMEOUT_MS,
    requestTimeoutMs = RECEIVE_TIMEOUT_MS,
    silenceTimeoutMs = SILENCE_TIMEOUT_MS,
    connectionsMax = Number.POSITIVE_INFINITY,
    isFairByAddress = false,
    unreadBytesMax = UNREAD_BYTES_MAX,
    onArrival = () => {},
    onRefused = () => {},
  } = options;
  let current = options.listener;
  let isDraining = false;
  /** Answers that had said before the drain that their connection stays open. */
  let staying = 0;
  const oneAtATime = makeOneAtATime({
    answer: (request, response) => {
      if (isDraining) closeBehind(request.socket, response);
      current(request, response);
    },
    onTooMany: () => {
      onRefused("pipelined");
    },
  });
  /** Makes an answer end its connection, unless more requests wait there when its head is written. */
  const closeBehind = (socket: Socket, response: ServerResponse): void => {
    const { writeHead } = response;
    // Not at once: until then more requests may be read. Node adds the header, whatever way the others are given.
    response.writeHead = (...head: ReadonlyArray<unknown>) => {
      if (oneAtATime.lastOf(socket) === response) response.shouldKeepAlive = false;
      return Reflect.apply(writeHead, response, head) as ServerResponse;
    };
  };
  const drain = (): void => {
    if (isDraining) return;
    isDraining = true;
    for (const socket of sockets) {
      const response = oneAtATime.currentOf(socket);
      if (response === undefined || response.writableFinished) continue;
      if (response.headersSent) {
        staying++;
        response.once("close", () => staying--);
      } else closeBehind(socket, response);
    }
  };
  const handle: RequestListener = (request, response) => {
    onArrival(request, response);
    oneAtATime.handle(request, response);
  };

  const sockets = new Set<Socket>();
  const shares =
    isFairByAddress && Number.isFinite(connectionsMax) ? makeShares(connectionsMax) : undefined;
  const makeServer = (): HttpServer => {
    const server = createServer({
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, headersTimeoutMs),
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      // Node's own answer would say nothing; the application refuses it.
      requireHostHeader: false,
    });
    // Who reads too slowly would hold the answer in memory for ever. Who waits for one is not to blame for the silence.
    server.setTimeout(silenceTimeoutMs, (socket) => {
      const response = oneAtATime.currentOf(socket);
      if (response === undefined || !isAwaited(response)) socket.destroy();
    });
    server.on("request", handle);
    // An expectation that nobody here knows may be ignored (RFC 9110); Node's own answer would say nothing.
    server.on("checkExpectation", handle);
    server.on("connect", (_, socket: Socket) => {
      onRefused(refuseRaw(socket, { _tag: "HttpMalformed", message: "This is no proxy." }));
    });
    server.on("clientError", (error, socket: Socket) => {
      const status = answerClientError(error, socket, oneAtATime.lastOf(socket));
      if (status !== undefined) onRefused(status);
    });
    server.on("connection", (socket) => {
      if (sockets.size >= connectionsMax) {
        onRefused("connection");
        socket.destroy();
        return;
      }
      const address = clientAddress(socket.remoteAddress ?? "");
      if (shares?.take(address, 1) !== undefined) {
        onRefused("address");
        socket.destroy();
        return;
      }
      sockets.add(socket);
      socket.once("close", () => {
        sockets.delete(socket);
        shares?.giveBack(address, 1);
      });
    });
    return server;
  };
  const servers = Array.from({ length: LISTENERS }, makeServer);
  await listenTogether(servers, { host, port });
  const endUnread = boundUnreadAnswers({
    sockets,
    bytesMax: unreadBytesMax,
    // Behind proxies each connection for itself, so that only the sum is bounded.
    clientOf: ({ remoteAddress = "", remotePort = 0 }) =>
      isFairByAddress ? clientAddress(remoteAddress) : `${remoteAddress} ${remotePort}`,
    onClosed: () => {
      onRefused("unread");
    },
  });

  return {
    url: urlOf(servers[0]?.address() as AddressInfo),
    use: (next) => {
      current = next;
    },
    connections: () => sockets.size,
    drain,
    close: async (withinMs, idleMs = 0) => {
      drain();
      const graceMs = Math.min(idleMs, withinMs / 2);
      let idleUntil = performance.now() + graceMs;
      // Connections that have become idle would wait for a next request.
      const sweep = setInterval(() => {
        // A client that was told it may stay may be sending its next request.
        if (staying > 0) idleUntil = performance.now() + graceMs;
        else if (performance.now() >= idleUntil) {
          for (const server of servers) server.closeIdleConnections();
        }
      }, CLOSE_CHECK_MS);
      const cutOff = setTimeout(() => {
        for (const server of servers) server.closeAllConnections();
      }, withinMs);
      await Promise.all(servers.map(closed));
      endUnread();
      clearInterval(sweep);
      clearTimeout(cutOff);
    },
  };
};

/** Whether a client has sent a whole request, and nothing of the answer is there yet. */
const isAwaited = (response: ServerResponse): boolean =>
  response.req.complete && response.socket !== null && !response.headersSent;

/** Accepts no more connections, and returns when the last one has ended. */
const closed = (server: HttpServer): Promise<void> =>
  new Promise((resolve) => {
    // Not as an HTTP server closes, which also ends at once the connections that are idle now.
    Reflect.apply(NetServer.prototype.close, server, [
      () => {
        // What Node runs beside an HTTP server ends only so; it has nothing left to close.
        server.close();
        resolve();
      },
    ]);
  });

const urlOf = ({ address, family, port }: AddressInfo): string => {
  const any = address === "::" || address === "0.0.0.0";
  const host = any ? "localhost" : family === "IPv6" ? `[${address}]` : address;
  return `http://${host}:${port}`;
};
