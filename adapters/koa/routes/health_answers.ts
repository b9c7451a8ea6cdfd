import type { IncomingMessage, ServerResponse } from "node:http";

import { SECURITY_HEADERS } from "../response/security_headers.ts";
import type { OnResponse } from "../telemetry/observe.ts";
import { givenRequestId, REQUEST_ID_HEADER } from "../telemetry/request_id.ts";
import type { HealthOptions, Readiness } from "./health.ts";

const HEADERS = Object.entries({
  "Cache-Control": "no-store",
  ...SECURITY_HEADERS,
  "Content-Type": "application/json; charset=utf-8",
}).flat();

const HEALTHY = { status: "ok" };

/** What `/readyz` says, and with which status. */
export const readinessAnswer = ({ ready, checks }: Readiness) => ({
  status: ready ? 200 : 503,
  body: { status: ready ? "ready" : "not_ready", checks },
  retryAfter: ready ? undefined : "1",
});

/**
 * Answers `GET /healthz` and `GET /readyz` ahead of koa: anybody may ask for them, as often as they like, so that they
 * have to cost as little as anything. Says whether it answers; what it does not, the routes do.
 */
export const makeHealthAnswers =
  ({ readiness }: Pick<HealthOptions, "readiness">, onResponse: OnResponse) =>
  (request: IncomingMessage, response: ServerResponse): boolean => {
    const { method, url, headers } = request;
    if (method !== "GET" || headers.host === undefined) return false;
    if (url !== "/healthz" && url !== "/readyz") return false;
    const since = performance.now();
    const send = (status: number, body: object, retryAfter?: string): void => {
      const text = JSON.stringify(body);
      const own = ["Content-Length", String(Buffer.byteLength(text))];
      if (retryAfter !== undefined) own.push("Retry-After", retryAfter);
      const id = givenRequestId(request);
      if (id !== undefined) own.push(REQUEST_ID_HEADER, id);
      // A list of names and values goes out as it is.
      response.writeHead(status, [...HEADERS, ...own]);
      response.end(text);
      const seconds = (performance.now() - since) / 1_000;
      onResponse({ route: url, method, status, seconds, request_id: id });
    };
    if (url === "/healthz") {
      send(200, HEALTHY);
      return true;
    }
    const sendReadiness = async (): Promise<void> => {
      const { status, body, retryAfter } = readinessAnswer(await readiness());
      send(status, body, retryAfter);
    };
    // It cannot fail; if it did, nobody would be told anything.
    sendReadiness().catch(() => response.destroy());
    return true;
  };
