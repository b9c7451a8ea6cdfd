import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";

export const REQUEST_ID_HEADER = "X-Request-Id";

/** Longest ID accepted from a client or a proxy; every log line about the request contains it. */
export const REQUEST_ID_CHARACTERS_MAX = 128;

const WELL_FORMED = /^[A-Za-z0-9._:+/=@-]+$/;

/** The trace ID of a W3C trace context, also of a later version that starts like today's. */
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/;

/** New IDs have a random prefix of the process and a counter: no request needs random bits. */
const PROCESS = randomBytes(8).toString("hex");
let made = 0;

export const newRequestId = (): string => `${PROCESS}-${++made}`;

const ID = Symbol("request id");

/**
 * The ID of a request, which its response, its problem document and its log lines carry: a
 * well-formed `X-Request-Id`, or the trace ID of its `traceparent`, or a new one. Always the same
 * for the same request.
 */
export const requestIdOf = (request: IncomingMessage & { [ID]?: string }): string =>
  (request[ID] ??= givenRequestId(request) ?? newRequestId());

const givenRequestId = ({ headers }: IncomingMessage): string | undefined => {
  // Node joins repeated headers with commas, which are not well-formed.
  const { "x-request-id": id, traceparent } = headers;
  if (typeof id === "string" && id.length <= REQUEST_ID_CHARACTERS_MAX && WELL_FORMED.test(id)) {
    return id;
  }
  return typeof traceparent === "string" ? TRACEPARENT.exec(traceparent)?.[1] : undefined;
};
