import {
  createServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";

import { LRUCache } from "lru-cache";

import { makeShares } from "../../../core/fair/shares.ts";
import { clientAddress } from "../access/client_address.ts";
import {
  ABANDONED_ADDRESSES_MAX,
  ABANDONED_REST_MS,
  HEADERS_TIMEOUT_MS,
  RECEIVE_TIMEOUT_MS,
  SILENCE_TIMEOUT_MS,
  UNREAD_BYTES_MAX,
} from "../limits.ts";
import { answerClientError, refuseRaw, wasAbandoned } from "./client_error.ts";
import { LISTENERS, listenTogether } from "./listen.ts";
import { makeOneAtATime } from "./one_at_a_time.ts";
import { boundUnreadAnswers } from "./unread_answers.ts";

/** Answers a request. Its result is ignored, so it must handle its own failures. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => unknown;

export type RefusedConnection = "connection" | "address" | "pipelined" | "unread";

export interface ServerOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly listener: RequestListener;
  /** Called for each request when its headers are read, even while its connection's others wait. */
  readonly onArrival?: (request: IncomingMessage, response: ServerResponse) => void;
  /** How long a client may take to send its headers. */
  readonly headersTimeoutMs?: number;
  /** How long a client may take to send a whole request. */
  readonly requestTimeoutMs?: number;
  /** How long a connection may be silent in the middle of a request or a response. */
  readonly silenceTimeoutMs?: number;
  /** How many connections may be open; further ones are closed immediately. */
  readonly connectionsMax?: number;
  /**
   * Whether an address may have at most as many connections as are left free of `connectionsMax`,
   * and open none for a second after one of its connections was abandoned. Not for a server behind
   * proxies, which make all connections.
   */
  readonly isFairByAddress?: boolean;
  /** The most bytes of responses that clients have not read yet. */
  readonly unreadBytesMax?: number;
  /**
   * Called when something was refused before it became a request: with the status of the response,
   * or with why a connection was closed. `connection`: too many were open; `address`: too many of
   * the same address, or one of them was abandoned within the last second; `pipelined`: too many
   * requests waited on it; `unread`: too many bytes of its responses were not read.
   */
  readonly onRefused?: (reason: number | RefusedConnection) => void;
}

export interface Server {
  /** Such as `http://127.0.0.1:3000`. */
  readonly url: string;
  /** How many connections are open. */
  readonly connections: () => number;
  /**
   * Makes every response close its connection from now on, including those in flight, so that
   * clients go elsewhere before the server closes. New connections are still accepted.
   */
  readonly drain: () => void;
  /**
   * Drains, accepts no more connections, and returns when the last request was answered.
   * Disconnects clients that have not sent their request or read their response within `withinMs`.
   *
   * @param idleMs how long idle connections stay open for requests that are on their way; at most
   *   half of `withinMs`
   */
  readonly close: (withinMs: number, idleMs?: number) => Promise<void>;
}

/** How often timeouts are checked. */
const TIMEOUT_CHECK_MS = 1_000;

/** Longer than the idle timeout of common load balancers: they never use a closing connection. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;

/** How often a closing server closes idle connections. */
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
    listener,
    headersTimeoutMs = HEADERS_TIMEOUT_MS,
    requestTimeoutMs = RECEIVE_TIMEOUT_MS,
    silenceTimeoutMs = SILENCE_TIMEOUT_MS,
    connectionsMax = Number.POSITIVE_INFINITY,
    isFairByAddress = false,
    unreadBytesMax = UNREAD_BYTES_MAX,
    onArrival = () => {},
    onRefused = () => {},
  } = options;
  let isDraining = false;
  /** Responses in flight whose headers promised, before the drain, to keep the connection open. */
  let keepingAlive = 0;
  const oneAtATime = makeOneAtATime({
    answer: (request, response) => {
      if (isDraining) closeAfter(request.socket, response);
      listener(request, response);
    },
    onTooMany: () => {
      onRefused("pipelined");
    },
  });
  /** Makes a response close its connection, unless requests wait there when headers are sent. */
  const closeAfter = (socket: Socket, response: ServerResponse): void => {
    const { writeHead } = response;
    // More requests may be read until then.
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
        keepingAlive++;
        response.once("close", () => keepingAlive--);
      } else closeAfter(socket, response);
    }
  };
  const handle: RequestListener = (request, response) => {
    onArrival(request, response);
    oneAtATime.handle(request, response);
  };

  const sockets = new Set<Socket>();
  const shares =
    isFairByAddress && Number.isFinite(connectionsMax) ? makeShares(connectionsMax) : undefined;
  /** Addresses that may not open a connection because one of theirs was abandoned. */
  const resting = new LRUCache<string, true>({
    max: ABANDONED_ADDRESSES_MAX,
    ttl: ABANDONED_REST_MS,
  });
  const makeServer = (): HttpServer => {
    const server = createServer({
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, headersTimeoutMs),
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      // Node's own response would have no body; the application refuses such requests.
      requireHostHeader: false,
    });
    // Clients that do not read would keep responses in memory. Clients that wait may be silent.
    server.setTimeout(silenceTimeoutMs, (socket) => {
      const response = oneAtATime.currentOf(socket);
      if (response === undefined || !isAwaited(response)) socket.destroy();
    });
    server.on("request", handle);
    // Unknown expectations may be ignored (RFC 9110).
    server.on("checkExpectation", handle);
    server.on("connect", (_, socket: Socket) => {
      onRefused(refuseRaw(socket, { _tag: "HttpMalformed", message: "CONNECT is not supported." }));
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
      const address = clientAddress(socket.remoteAddress);
      if (resting.has(address) || shares?.take(address, 1) !== undefined) {
        onRefused("address");
        socket.destroy();
        return;
      }
      sockets.add(socket);
      socket.once("close", () => {
        sockets.delete(socket);
        shares?.giveBack(address, 1);
        if (isFairByAddress && wasAbandoned(socket)) resting.set(address, true);
      });
    });
    return server;
  };
  const servers = Array.from({ length: LISTENERS }, makeServer);
  await listenTogether(servers, { host, port });
  const endUnread = boundUnreadAnswers({
    sockets,
    bytesMax: unreadBytesMax,
    // Behind proxies every connection is its own client, so that only the sum is bounded.
    clientOf: ({ remoteAddress = "", remotePort = 0 }) =>
      isFairByAddress ? clientAddress(remoteAddress) : `${remoteAddress} ${remotePort}`,
    onClosed: () => {
      onRefused("unread");
    },
  });

  return {
    url: urlOf(servers[0]?.address() as AddressInfo),
    connections: () => sockets.size,
    drain,
    close: async (withinMs, idleMs = 0) => {
      drain();
      const graceMs = Math.min(idleMs, withinMs / 2);
      let idleUntil = performance.now() + graceMs;
      // Connections that become idle would wait for another request.
      const sweep = setInterval(() => {
        // Its client may be sending the next request.
        if (keepingAlive > 0) idleUntil = performance.now() + graceMs;
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

/** Whether a client has sent a whole request and received nothing of the response. */
const isAwaited = (response: ServerResponse): boolean =>
  response.req.complete && response.socket !== null && !response.headersSent;

/** Accepts no more connections, and returns when the last one is closed. */
const closed = (server: HttpServer): Promise<void> =>
  new Promise((resolve) => {
    // Not as an HTTP server closes, which closes idle connections immediately.
    Reflect.apply(NetServer.prototype.close, server, [
      () => {
        // Stops the timers of the HTTP server.
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
