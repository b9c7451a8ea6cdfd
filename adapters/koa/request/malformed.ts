import type { Context, Middleware } from "koa";

import { problemOf, type RequestFault } from "../response/problem.ts";
import { sendProblem } from "../response/reply.ts";
import { setRoute } from "../telemetry/observe.ts";

/** Refuses requests that Node accepts although they are ambiguous or their path is unreadable. */
export const refuseMalformed: Middleware = (ctx, next) => {
  const framing = framingFault(ctx);
  const fault = framing ?? targetFault(ctx);
  if (fault === undefined) return next();
  setRoute(ctx);
  // It is unclear where such a request ends, so nothing after it is read as the next one.
  if (framing !== undefined) ctx.set("Connection", "close");
  sendProblem(ctx, problemOf(fault));
  return undefined;
};

const malformed = (message: string): RequestFault => ({ _tag: "HttpMalformed", message });

/**
 * Finds what a proxy may read differently than Node does (RFC 9112, 3.2 and 6.1). Node's parser
 * itself refuses a length together with a transfer coding, and two lengths.
 */
const framingFault = ({ req }: Context): RequestFault | undefined => {
  const { headers, httpVersion, rawHeaders } = req;
  const coding = headers["transfer-encoding"];
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked") {
      return malformed("Transfer-Encoding must be chunked and nothing else.");
    }
    if (httpVersion === "1.0") return malformed("HTTP/1.0 does not have Transfer-Encoding.");
  }
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name?.length === 4 && name.toLowerCase() === "host") hosts++;
  }
  return hosts > 1 ? malformed("The Host header must be given once.") : undefined;
};

const targetFault = (ctx: Context): RequestFault | undefined => {
  const { headers, httpVersion } = ctx.req;
  if (headers.host === undefined && httpVersion === "1.1") {
    return malformed("The Host header is missing.");
  }
  return isReadable(ctx) ? undefined : { _tag: "PathMalformed" };
};

const isReadable = (ctx: Context): boolean => {
  // Nearly every target is a plain path.
  if (/^\/[^%]*$/.test(ctx.req.url ?? "")) return true;
  try {
    // A target such as http://[ makes this throw; http:// has no path.
    const path: string | null = ctx.path;
    if (path === null) return false;
    // The router would take a path that cannot be decoded literally.
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
};
