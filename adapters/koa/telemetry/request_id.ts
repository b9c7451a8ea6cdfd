import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** The header that names a request, in the request and in its answer. */
export const REQUEST_ID_HEADER = "X-Request-Id";

/** How long an id may be that a client or a proxy chose; it goes into every log line about the request. */
export const REQUEST_ID_CHARACTERS_MAX = 128;

const WELL_FORMED = /^[A-Za-z0-9._:+/=@-]+$/;

/** The trace id of a W3C trace context; of a version that is to come as well, as long as it begins as today's. */
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/;

/** Told apart by the process, and by a count within it: no request pays for chance of its own. */
const PROCESS = randomBytes(8).toString("hex");
let made = 0;

/** An id for a request that nobody else named. */
export const newRequestId = (): string => `${PROCESS}-${++made}`;

const ID = Symbol("request id");

/**
 * The id of a request, by which its answer, its problem document and its log lines can be found: the one that it was
 * given, else a new one. The same each time it is asked for.
 */
export const requestIdOf = (request: IncomingMessage & { [ID]?: string }): string =>
  (request[ID] ??= givenRequestId(request) ?? newRequestId());

/**
 * The id that a client or a proxy gave to a request: the one in `X-Request-Id`, else the trace id in `traceparent`.
 * Undefined if there is none that is well-formed.
 */
export const givenRequestId = ({ headers }: IncomingMessage): string | undefined => {
  // Several headers of the name come as one text with commas in it, which names no request.
  const { "x-request-id": id, traceparent } = headers;
  if (typeof id === "string" && id.length <= REQUEST_ID_CHARACTERS_MAX && WELL_FORMED.test(id)) {
    return id;
  }
  return typeof traceparent === "string" ? TRACEPARENT.exec(traceparent)?.[1] : undefined;
};
