import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { headersOf, problemOf, type RequestFault } from "../response/problem.ts";
import { newRequestId, REQUEST_ID_HEADER } from "../telemetry/request_id.ts";

/** How long a refused client may take to read why, and to go. */
const LINGER_MS = 1_000;

/**
 * Answers what Node could not read as HTTP, and so never reaches the application; then the connection
 * ends, since nobody knows where on it the next request would begin.
 *
 * @param answering what the last request that was read on this connection is answered with
 * @returns the status of the answer; undefined if there is nobody to answer
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
  if (answering !== undefined && answering.req.complete && !answering.writableFinished) {
    // What is wrong came behind a whole request, and its sender would take our answer for that one's.
    answering.once("finish", () => {
      endSoon(socket, "");
    });
    return undefined;
  }
  return refuseRaw(socket, faultOf(error.code));
};

/** Answers with a problem on a bare connection, and ends it; returns the status. */
export const refuseRaw = (socket: Socket, fault: RequestFault): number => {
  const problem = problemOf(fault);
  // What could not be read as a request cannot have said how it is called.
  const id = newRequestId();
  const body = JSON.stringify({ ...problem, request_id: id });
  const headers = {
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
  // Node watches a socket that it has handed over no longer, and a reset would end the process.
  socket.on("error", () => {});
  // Half closed is not closed: a client that never answers would keep its connection for ever.
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
