import { z } from "zod";

import { schemaRef } from "../openapi/json_schema.ts";
import { NO_STORE, RETRY_AFTER } from "../openapi/operation.ts";
import { sendReply, uncached } from "../response/reply.ts";
import type { ProcessParts, Route } from "./route.ts";

const Health = z.object({ status: z.literal("ok") });

const ReadinessBody = z.object({
  status: z.enum(["ready", "not_ready"]),
  checks: z.record(z.string(), z.string()).meta({
    description: 'The result of each check: "ok", or what is wrong.',
  }),
});

const HEALTHY: z.input<typeof Health> = { status: "ok" };

const READY: z.input<typeof ReadinessBody> = {
  status: "ready",
  checks: { database: "ok", migrations: "ok", api: "ok", worker: "ok", projector: "ok" },
};

const NOT_READY: z.input<typeof ReadinessBody> = {
  status: "not_ready",
  checks: { service: "starting: preparing the database" },
};

const METRICS = `# HELP tidemark_queue_depth_events Accepted events that are not yet appended
# TYPE tidemark_queue_depth_events gauge
tidemark_queue_depth_events 0
`;

export const getHealth: Route<ProcessParts> = {
  method: "get",
  path: "/healthz",
  access: "public",
  schemas: { Health },

  operation: () => ({
    operationId: "health",
    tag: "Service",
    summary: "Liveness",
    description: "Succeeds as long as the process runs.",
    answers: {
      200: {
        description: "The process is alive.",
        headers: NO_STORE,
        content: { schema: schemaRef("Health"), example: HEALTHY },
      },
    },
    failures: [],
  }),

  handler: () => (ctx) => sendReply(ctx, uncached(HEALTHY)),
};

export const getReadiness: Route<ProcessParts> = {
  method: "get",
  path: "/readyz",
  access: "public",
  schemas: { Readiness: ReadinessBody },

  operation: () => ({
    operationId: "readiness",
    tag: "Service",
    summary: "Readiness",
    description: "Reports whether the process can do its work, and what is wrong if not.",
    answers: {
      200: {
        description: "The process is ready.",
        headers: NO_STORE,
        content: { schema: schemaRef("Readiness"), example: READY },
      },
      503: {
        description: "The process is starting or stopping, or its database is unavailable.",
        headers: { ...NO_STORE, ...RETRY_AFTER },
        content: { schema: schemaRef("Readiness"), example: NOT_READY },
      },
    },
    failures: [],
  }),

  handler:
    ({ readiness }) =>
    async (ctx) => {
      const { ready, checks } = await readiness();
      if (!ready) ctx.set("Retry-After", "1");
      const body: z.input<typeof ReadinessBody> = { status: ready ? "ready" : "not_ready", checks };
      sendReply(ctx, uncached(body, ready ? 200 : 503));
    },
};

export const getMetrics: Route<ProcessParts> = {
  method: "get",
  path: "/metrics",
  access: { scopes: ["admin"], accounts: "all" },

  operation: () => ({
    operationId: "metrics",
    tag: "Service",
    summary: "Metrics",
    description: "Returns the metrics of this process for Prometheus.",
    answers: {
      200: {
        description: "Metrics in the Prometheus text format.",
        headers: NO_STORE,
        content: { type: "text/plain", schema: { type: "string" }, example: METRICS },
      },
    },
    failures: [],
  }),

  handler:
    ({ metrics }) =>
    async (ctx) => {
      ctx.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
      sendReply(ctx, uncached(await metrics()));
    },
};
