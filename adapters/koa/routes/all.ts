import Router from "@koa/router";
import type { Context } from "koa";

import { checkAccess } from "../access/principal.ts";
import { problemOf } from "../response/problem.ts";
import { sendProblem } from "../response/reply.ts";
import {
  deleteDeadLetter,
  getDeadLetter,
  getDeadLetters,
  redriveDeadLetter,
} from "./dead_letters.ts";
import { getDocs } from "./docs.ts";
import { getEvents } from "./get_events.ts";
import { getJob } from "./get_job.ts";
import { getSummary } from "./get_summary.ts";
import { getTimeseries } from "./get_timeseries.ts";
import { getHealth, getMetrics, getReadiness } from "./health.ts";
import { getOpenApi } from "./openapi.ts";
import { postEvents } from "./post_events.ts";
import { type ApiParts, type ProcessParts, type Route, routerPath } from "./route.ts";
import { sampleAccounts } from "./sample_accounts.ts";

/** The routes of a process with the api role, in the order of the document. */
export const API_ROUTES: ReadonlyArray<Route<ApiParts>> = [
  postEvents,
  getJob,
  getSummary,
  getTimeseries,
  getEvents,
  sampleAccounts,
  getDeadLetters,
  getDeadLetter,
  redriveDeadLetter,
  deleteDeadLetter,
  getOpenApi,
  getDocs,
];

/** The routes of every process, also while it is starting. */
export const PROCESS_ROUTES: ReadonlyArray<Route<ProcessParts>> = [
  getHealth,
  getReadiness,
  getMetrics,
];

/** The paths that need no key. */
export const PUBLIC_PATHS: ReadonlySet<string> = new Set([
  ...[...API_ROUTES, ...PROCESS_ROUTES]
    .filter(({ access }) => access === "public")
    .map(({ path }) => path),
  // Redirects to /docs.
  `${getDocs.path}/`,
]);

/** @param api undefined in a process that does not serve the API, or not yet */
export const makeRouter = (process: ProcessParts, api: ApiParts | undefined): Router => {
  const router = new Router();
  const add = <Parts>(routes: ReadonlyArray<Route<Parts>>, parts: Parts): void => {
    for (const { method, path, access, handler } of routes) {
      const handle = handler(parts);
      router[method](routerPath(path), (ctx: Context) => {
        const refusal = checkAccess(ctx, access);
        return refusal === undefined ? handle(ctx) : sendProblem(ctx, problemOf(refusal));
      });
    }
  };
  add(PROCESS_ROUTES, process);
  if (api !== undefined) add(API_ROUTES, api);
  return router;
};
