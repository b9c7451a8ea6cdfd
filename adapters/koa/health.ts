import type Router from "@koa/router";

/** Whether the process can do its work, and what is missing if not. */
export interface Readiness {
  readonly ready: boolean;
  /** By what was looked at: "ok", or what is wrong. */
  readonly checks: Readonly<Record<string, string>>;
}

/** Adds liveness and readiness, which every process has whatever its roles. */
export const addHealthRoutes = (router: Router, readiness: () => Promise<Readiness>): void => {
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
};
