import type { Body } from "./bodies.ts";
import { ETAG, NO_STORE } from "./headers.ts";
import { schemaRef } from "./json_schema.ts";
import { IF_NONE_MATCH, type Operation } from "./operation.ts";

const READY: Body<"Readiness"> = {
  status: "ready",
  checks: { database: "ok", migrations: "ok", api: "ok", worker: "ok", projector: "ok" },
};

const NOT_READY: Body<"Readiness"> = {
  status: "not_ready",
  checks: { service: "starting: preparing the database" },
};

const METRICS = `# HELP tidemark_queue_depth_events Accepted events that wait to be appended
# TYPE tidemark_queue_depth_events gauge
tidemark_queue_depth_events 0
`;

/** What the service tells of itself. */
export const SERVICE_OPERATIONS: ReadonlyArray<Operation> = [
  {
    method: "get",
    path: "/healthz",
    operationId: "health",
    tag: "Service",
    summary: "Liveness",
    description: "Answers for as long as the process does.",
    scopes: "public",
    answers: {
      200: {
        description: "The process is alive.",
        headers: NO_STORE,
        content: {
          schema: schemaRef("Health"),
          example: { status: "ok" } satisfies Body<"Health">,
        },
      },
    },
    failures: [],
  },
  {
    method: "get",
    path: "/readyz",
    operationId: "readiness",
    tag: "Service",
    summary: "Readiness",
    description: "Whether the process can do its work, and what is missing if not.",
    scopes: "public",
    answers: {
      200: {
        description: "It can.",
        headers: NO_STORE,
        content: { schema: schemaRef("Readiness"), example: READY },
      },
      503: {
        description: "It cannot: it is starting or stopping, or the database is away.",
        headers: {
          ...NO_STORE,
          "Retry-After": {
            description: "When to ask again, in seconds.",
            required: true,
            schema: { type: "integer", minimum: 1 },
          },
        },
        content: { schema: schemaRef("Readiness"), example: NOT_READY },
      },
    },
    failures: [],
  },
  {
    method: "get",
    path: "/metrics",
    operationId: "metrics",
    tag: "Service",
    summary: "Metrics",
    description: "The metrics of this process, for Prometheus.",
    scopes: ["admin"],
    answers: {
      200: {
        description: "Prometheus text.",
        headers: NO_STORE,
        content: { type: "text/plain", schema: { type: "string" }, example: METRICS },
      },
    },
    failures: ["AccountForbidden"],
  },
  {
    method: "get",
    path: "/openapi.json",
    operationId: "openapi",
    tag: "Service",
    summary: "This document",
    description:
      "The OpenAPI document of the running service, with the event types that it accepts.",
    scopes: "public",
    headers: [IF_NONE_MATCH],
    answers: {
      200: {
        description: "An OpenAPI 3.1 document.",
        headers: ETAG,
        content: {
          schema: {
            type: "object",
            required: ["openapi", "info", "paths"],
            properties: { openapi: { type: "string", pattern: "^3\\.1\\." } },
            additionalProperties: true,
          },
          example: { openapi: "3.1.1", info: { title: "Tidemark", version: "…" }, paths: {} },
        },
      },
      304: { description: "It is still the one that the client has.", headers: ETAG },
    },
    failures: [],
  },
  {
    method: "get",
    path: "/docs",
    operationId: "docs",
    tag: "Service",
    summary: "The reference page",
    description: "This document for people to read, and to try.",
    scopes: "public",
    headers: [IF_NONE_MATCH],
    answers: {
      200: {
        description: "An HTML page that loads nothing from anywhere else.",
        headers: ETAG,
        content: {
          type: "text/html",
          schema: { type: "string" },
          example: "<!doctype html>…",
        },
      },
      304: { description: "It is still the one that the client has.", headers: ETAG },
    },
    failures: [],
  },
];
