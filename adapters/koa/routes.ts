import type Router from "@koa/router";
import { type Context as Services, Effect, Option } from "effect";
import type { Context } from "koa";

import { recordEvents } from "../../core/command/record_events.ts";
import { summariseAccount } from "../../core/query/summarise_account.ts";
import { Queue } from "../../core/queue/queue.ts";
import { Summaries } from "../../core/summary/summaries.ts";
import { readJson } from "./body.ts";
import { readAccountId, readSampleParameters, readSummaryParameters } from "./parameters.ts";
import { jobBody, summaryBody } from "./present.ts";
import type { RequestFault } from "./problem.ts";
import { makeRespond } from "./respond.ts";

/** The services that the routes of the API need. */
export type ApiServices = Queue | Summaries;

/** Adds the routes of the API: the command and the queries. */
export const addApiRoutes = (router: Router, services: Services.Context<ApiServices>): void => {
  const respond = makeRespond(services);
  const send = (ctx: Context) => (body: unknown) => {
    ctx.body = body;
  };

  router.post("/events", async (ctx) => {
    const input = await readJson(ctx.req);
    const command = Effect.flatMap(Effect.fromResult(input), recordEvents);
    await respond(ctx, command, ({ jobId, queued }) => {
      ctx.status = 202;
      ctx.set("Location", `/jobs/${jobId}`);
      ctx.body = { statusCode: 202, jobId, queued };
    });
  });

  router.get("/jobs/:id", async (ctx) => {
    await respond(ctx, findJob(pathParameter(ctx, "id")), (job) => {
      ctx.set("Cache-Control", "no-store");
      ctx.body = jobBody(job);
    });
  });

  router.get("/accounts/sample", async (ctx) => {
    await respond(ctx, sampleAccounts(ctx), send(ctx));
  });

  router.get("/accounts/:id/summary", async (ctx) => {
    await respond(ctx, summary(ctx), send(ctx));
  });
};

const findJob = Effect.fnUntraced(function* (id: string) {
  const queue = yield* Queue;
  const found = yield* queue.find(id);
  if (Option.isSome(found)) return found.value;
  const fault: RequestFault = { _tag: "JobUnknown", id: id.slice(0, 100).toWellFormed() };
  return yield* Effect.fail(fault);
});

const sampleAccounts = Effect.fnUntraced(function* (ctx: Context) {
  const { limit } = yield* Effect.fromResult(readSampleParameters(ctx.querystring));
  const summaries = yield* Summaries;
  return { account_ids: yield* summaries.sampleAccounts(limit) };
});

const summary = Effect.fnUntraced(function* (ctx: Context) {
  const accountId = yield* Effect.fromResult(readAccountId(pathParameter(ctx, "id")));
  const { period, top } = yield* Effect.fromResult(readSummaryParameters(ctx.querystring));
  return summaryBody(yield* summariseAccount(accountId, period, top));
});

const pathParameter = (ctx: Context, name: string): string =>
  (ctx["params"] as Readonly<Record<string, string>>)[name] ?? "";
