import type { Context as Services, Effect } from "effect";
import type { Context } from "koa";
import type { z } from "zod";

import type { Admission } from "../../../core/command/admission.ts";
import type { AccountEvents } from "../../../core/log/account_events.ts";
import type { SummaryCache } from "../../../core/query/summary_cache.ts";
import type { DeadLetters } from "../../../core/queue/dead_letters.ts";
import type { Queue } from "../../../core/queue/queue.ts";
import type { Activity } from "../../../core/summary/activity.ts";
import type { Summaries } from "../../../core/summary/summaries.ts";
import type { Requirement } from "../access/principal.ts";
import type { OpenApiDocument } from "../openapi/document.ts";
import { type Operation } from "../openapi/operation.ts";
import type { Bodies } from "../request/bodies.ts";
import type { Failure } from "../response/problem.ts";
import type { Reply } from "../response/reply.ts";
import type { Respond } from "../response/respond.ts";
import type { Example } from "./example.ts";

/** An endpoint: how to call it, who may, and what answers. Router, gate and document use it. */
export interface Route<Parts> {
  readonly method: "get" | "post" | "delete";
  /** With parameters in braces, such as `/jobs/{id}`. */
  readonly path: string;
  readonly access: Requirement;
  /** The schemas of its response bodies, by their names in the OpenAPI document. */
  readonly schemas?: Readonly<Record<string, z.ZodType>>;
  readonly operation: (example: Example) => Operation;
  /** Called once for an application; the handler runs for each request that `access` admits. */
  readonly handler: (parts: Parts) => (ctx: Context) => void | Promise<void>;
}

/** A path as the router and metrics have it, such as `/jobs/:id`. */
export const routerPath = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ":$1");

/** What routes of every process run on, whatever its roles. */
export interface ProcessParts {
  readonly readiness: () => Promise<Readiness>;
  /** The metrics as Prometheus text. */
  readonly metrics: () => Promise<string>;
}

/** Whether the process can do its work. */
export interface Readiness {
  readonly ready: boolean;
  /** The result of each check: "ok", or what is wrong. */
  readonly checks: Readonly<Record<string, string>>;
}

/** The services of core that routes of the API use. */
export type ApiServices =
  | Admission
  | Queue
  | DeadLetters
  | Summaries
  | SummaryCache
  | Activity
  | AccountEvents;

/** What routes of the API run on. */
export interface ApiParts {
  readonly services: Services.Context<ApiServices>;
  readonly respond: Respond<ApiServices>;
  readonly bodies: Bodies;
  readonly document: OpenApiDocument;
}

/** The handler of a route that only runs an effect. */
export const respondWith =
  (run: (ctx: Context) => Effect.Effect<Reply, Failure, ApiServices>): Route<ApiParts>["handler"] =>
  ({ respond }) =>
  (ctx) =>
    respond(ctx, run(ctx));
