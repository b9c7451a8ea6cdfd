import Router from "@koa/router";
import { type Context as Services, Effect } from "effect";
import Koa, { type Context, type Next } from "koa";

import { addHealthRoutes, type Readiness } from "./health.ts";
import { INTERNAL_PROBLEM, problemOf } from "./problem.ts";
import { sendProblem } from "./respond.ts";
import { addApiRoutes, type ApiServices } from "./routes.ts";

export interface ApplicationOptions {
  readonly readiness: () => Promise<Readiness>;
  /**
   * What the routes of the API run on. "starting" answers them with 503; undefined leaves them out, in
   * a process without the api role.
   */
  readonly services: Services.Context<ApiServices> | "starting" | undefined;
}

/** The HTTP face of the service. */
export const makeApplication = ({ services, readiness }: ApplicationOptions): Koa => {
  const router = new Router();
  addHealthRoutes(router, readiness);
  if (typeof services === "object") addApiRoutes(router, services);

  const app = new Koa();
  app.use(answerThrown);
  app.use(refuseMalformedPath);
  app.use(router.routes());
  app.use(services === "starting" ? refuseWhileStarting : refuseUnknown(router));
  return app;
};

/** What is thrown is a fault of ours: expected failures are values, and answered by the routes. */
const answerThrown = async (ctx: Context, next: Next): Promise<void> => {
  try {
    await next();
  } catch (error) {
    Effect.runFork(
      Effect.annotateLogs(Effect.logError("A request failed", error), { path: ctx.path }),
    );
    sendProblem(ctx, INTERNAL_PROBLEM);
  }
};

/** The router would take a path that cannot be decoded as it is, and answer for an account of that name. */
const refuseMalformedPath = (ctx: Context, next: Next): unknown => {
  if (!ctx.path.includes("%")) return next();
  try {
    decodeURIComponent(ctx.path);
  } catch {
    sendProblem(ctx, problemOf({ _tag: "PathMalformed" }));
    return undefined;
  }
  return next();
};

const refuseWhileStarting = (ctx: Context): void => {
  ctx.req.resume();
  sendProblem(ctx, problemOf({ _tag: "Starting" }));
};

/** Behind the routes: what came through matched none of them, by its path or by its method. */
const refuseUnknown =
  (router: Router) =>
  (ctx: Context): void => {
    ctx.req.resume();
    const methods = router.match(ctx.path, ctx.method).path.flatMap((layer) => layer.methods);
    if (methods.length === 0) {
      sendProblem(ctx, problemOf({ _tag: "RouteUnknown", path: ctx.path.slice(0, 200) }));
      return;
    }
    const allowed = [...new Set(methods)].toSorted().join(", ");
    ctx.set("Allow", allowed);
    sendProblem(ctx, problemOf({ _tag: "MethodNotAllowed", method: ctx.method, allowed }));
  };
