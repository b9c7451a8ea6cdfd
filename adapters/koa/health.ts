import type Router from "@koa/router";
import { Result } from "effect";

import { authorise } from "./principal.ts";
import { problemOf } from "./problem.ts";
import { sendProblem } from "./respond.ts";

/** Whether the process can do its work, and what is missing if not. */
export interface Readiness {
  readonly ready: boolean;
  /** By what was looked at: "ok", or what is wrong. */
  readonly checks: Readonly<Record<string, string>>;
}

export interface HealthOptions {
  readonly readiness: () => Promise<Readiness>;
  /** The metrics as Prometheus text. */
  readonly metrics: () => Promise<string>;
}

/** Adds liveness, readiness and metrics, which every process has whatever its roles. */
export const addHealthRoutes = (router: Router, { readiness, metrics }: HealthOptions): void => {
  router.get("/healthz", (ctx) => {
    ctx.set("Cache-Control", "no-store");
    ctx.body = { status: "ok" };
  });
  router.get("/readyz", async (ctx) => {
    const { ready, checks } = await readiness();
    ctx.status = ready ? 200 : 503;
    if (!ready) ctx.set("Retry-After", "1");
    ctx.set("Cache-Control", "no-store");
    ctx.body = { status: ready ? "ready" : "not_ready", checks };
  });
  router.get("/metrics", async (ctx) => {
    const may = authorise(ctx, "admin");
    if (Result.isFailure(may)) return sendProblem(ctx, problemOf(may.failure));
    ctx.body = await metrics();
    ctx.set("Cache-Control", "no-store");
    ctx.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return undefined;
  });
};
