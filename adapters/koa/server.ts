import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

import type { Problem } from "./problem.ts";

/** Answers requests; what it returns is not waited for, so it must settle its own failures. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface ServerOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly listener: RequestListener;
}

export interface Server {
  /** Where it listens, such as `http://127.0.0.1:3000`. */
  readonly url: string;
  /** Answers every later request with another listener. */
  readonly use: (listener: RequestListener) => void;
  /** Accepts no more connections, ends idle ones, and returns when the last request was answered. */
  readonly close: () => Promise<void>;
}

/** How long a client may take to send its headers. */
const HEADERS_TIMEOUT_MS = 10_000;

/** How long a client may take to send a whole request: a megabyte over a very slow line. */
const REQUEST_TIMEOUT_MS = 30_000;

/** How often the two are looked at. */
const TIMEOUT_CHECK_MS = 1_000;

/** Longer than the idle time of the usual load balancers, so that they never use a dying connection. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;

/**
 * Starts an HTTP server.
 *
 * @throws the error of `listen`, such as EADDRINUSE
 */
export const startServer = async ({ host, port, listener }: ServerOptions): Promise<Server> => {
  let current = listener;
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    },
    (request, response) => {
      current(request, response);
    },
  );
  server.on("clientError", answerClientError);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return {
    url: urlOf(server.address() as AddressInfo),
    use: (next) => {
      current = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        // Keep-alive connections that wait for a next request would hold the close up.
        server.closeIdleConnections();
      }),
  };
};

const urlOf = ({ address, family, port }: AddressInfo): string => {
  const any = address === "::" || address === "0.0.0.0";
  const host = any ? "localhost" : family === "IPv6" ? `[${address}]` : address;
  return `http://${host}:${port}`;
};

/** What Node could not read as HTTP never reaches the application; it gets a problem document, too. */
const answerClientError = (error: Error & { code?: string }, socket: Socket): void => {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = clientProblem(error.code);
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.title}\r\n` +
      "Content-Type: application/problem+json\r\n" +
      `Content-Length: ${Buffer.byteLength(body)}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
};

const clientProblem = (code: string | undefined): Problem => {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return {
      type: "urn:tidemark:problem:request-timeout",
      title: "Request Timeout",
      status: 408,
      detail: `A request must be sent within ${REQUEST_TIMEOUT_MS / 1000} s, its headers within ${HEADERS_TIMEOUT_MS / 1000} s.`,
    };
  }
  if (code === "HPE_HEADER_OVERFLOW") {
    return {
      type: "urn:tidemark:problem:headers-too-large",
      title: "Request Header Fields Too Large",
      status: 431,
      detail: "The headers are too large.",
    };
  }
  return {
    type: "urn:tidemark:problem:http-malformed",
    title: "Bad Request",
    status: 400,
    detail: "The request is not well-formed HTTP, or ended before its body was complete.",
  };
};
