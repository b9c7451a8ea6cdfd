import type Router from "@koa/router";
import { Result } from "effect";

import { authoriseForAll } from "../access/principal.ts";
import { problemOf } from "../response/problem.ts";
import { sendProblem } from "../response/respond.ts";
import { readinessAnswer } from "./health_answers.ts";

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

/**
 * Adds liveness, readiness and metrics, which every process has whatever its roles. The first two are mostly answered
 * ahead of the routes: see `makeHealthAnswers`.
 */
export const addHealthRoutes = (router: Router, { readiness, metrics }: HealthOptions): void => {
  router.get("/healthz", (ctx) => {
    ctx.set("Cache-Control", "no-store");
    ctx.body = { status: "ok" };
  });
  router.get("/readyz", async (ctx) => {
    const { status, body, retryAfter } = readinessAnswer(await readiness());
    ctx.status = status;
    if (retryAfter !== undefined) ctx.set("Retry-After", retryAfter);
    ctx.set("Cache-Control", "no-store");
    ctx.body = body;
  });
  router.get("/metrics", async (ctx) => {
    const may = authoriseForAll(ctx, "admin");
    if (Result.isFailure(may)) return sendProblem(ctx, problemOf(may.failure));
    ctx.body = await metrics();
    ctx.set("Cache-Control", "no-store");
    ctx.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return undefined;
  });
};
