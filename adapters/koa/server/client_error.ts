import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { headersOf, problemOf, type RequestFault } from "../response/problem.ts";
import { SECURITY_HEADERS } from "../response/reply.ts";
import { newRequestId, REQUEST_ID_HEADER } from "../telemetry/request_id.ts";

/** How long a refused client may take to read the response and to close its side. */
const LINGER_MS = 1_000;

/**
 * Answers what Node could not parse as HTTP, which the application never sees. Then it ends the
 * connection, since the start of the next request is unknown.
 *
 * @param answering the response to the last request that was read on this connection
 * @returns the status of the response; undefined if none was sent
 */
export const answerClientError = (
  error: Error & { readonly code?: string },
  socket: Socket,
  answering: ServerResponse | undefined,
): number | undefined => {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return undefined;
  }
  if (answering?.writableEnded === true && answering.getHeader("Connection") === "close") {
    // The request itself was refused as malformed: that response is the last one.
    endSoon(socket, "");
    return undefined;
  }
  if (answering !== undefined && answering.req.complete && !answering.writableFinished) {
    // The sender of that whole request would take our response for the one to it.
    answering.once("finish", () => {
      endSoon(socket, "");
    });
    return undefined;
  }
  return refuseRaw(socket, faultOf(error.code));
};

/** Sends a problem on a bare connection and ends it; returns the status. */
export const refuseRaw = (socket: Socket, fault: RequestFault): number => {
  const problem = problemOf(fault);
  const id = newRequestId();
  const body = JSON.stringify({ ...problem, request_id: id });
  const headers = {
    ...SECURITY_HEADERS,
    ...headersOf(problem),
    [REQUEST_ID_HEADER]: id,
    "Content-Length": String(Buffer.byteLength(body)),
    Connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  endSoon(socket, `HTTP/1.1 ${problem.status} ${problem.title}\r\n${lines.join("")}\r\n${body}`);
  return problem.status;
};

const endSoon = (socket: Socket, last: string): void => {
  // Node no longer handles errors of this socket, and an unhandled one would end the process.
  socket.on("error", () => {});
  // A client that never closes its side would keep the half-closed connection for ever.
  socket.setTimeout(LINGER_MS, () => {
    socket.destroy();
  });
  socket.end(last);
};

const faultOf = (code: string | undefined): RequestFault => {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return { _tag: "RequestTooSlow" };
  if (code === "HPE_HEADER_OVERFLOW") return { _tag: "HeadersTooLarge" };
  if (code === "HPE_INVALID_EOF_STATE") return { _tag: "RequestTruncated" };
  return { _tag: "HttpMalformed", message: "The request is not well-formed HTTP/1.1." };
};

/** Node's HTTP parser, as its socket refers to it. Not part of Node's API. */
interface Parsed {
  readonly parser?: { onIncoming?: unknown; incoming?: unknown } | null;
}

/** Makes the parser stop after a request, as if the connection were no longer HTTP. */
const STOP = 2;

/**
 * Closes a connection that costs more than it should. Node would go on to parse what it has already
 * read (up to 64 KiB: thousands of requests or pieces of a body) even though the socket is
 * destroyed; this stops the parser as well. With another parser in a later Node, that would only
 * cost more.
 */
export const abandon = (socket: Socket): void => {
  abandoned.add(socket);
  const { parser } = socket as Parsed;
  if (parser !== undefined && parser !== null) {
    parser.onIncoming = () => STOP;
    parser.incoming = null;
  }
  socket.destroy();
};

const abandoned = new WeakSet<Socket>();

/** Whether a connection was closed by `abandon`. */
export const wasAbandoned = (socket: Socket): boolean => abandoned.has(socket);
