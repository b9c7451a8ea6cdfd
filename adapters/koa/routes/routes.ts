import type Router from "@koa/router";
import { Context as Services, Effect, Option, Result } from "effect";
import type { Context } from "koa";

import { covers, hasScope } from "../../../core/access/principal.ts";
import { Admission } from "../../../core/command/admission.ts";
import { recordEvents } from "../../../core/command/record_events.ts";
import type { AccountEvents } from "../../../core/log/account_events.ts";
import { accountTimeseries } from "../../../core/query/account_timeseries.ts";
import { listEvents } from "../../../core/query/list_events.ts";
import type { SummaryCache } from "../../../core/query/summary_cache.ts";
import type { DeadLetters } from "../../../core/queue/dead_letters.ts";
import { Queue } from "../../../core/queue/queue.ts";
import type { Activity } from "../../../core/summary/activity.ts";
import { Summaries } from "../../../core/summary/summaries.ts";
import { Turns } from "../../../core/turns.ts";
import { authorise, clientOf, principalOf } from "../access/principal.ts";
import type { Bodies } from "../request/bodies.ts";
import { readBody } from "../request/body.ts";
import {
  readAccountId,
  readEventsParameters,
  readSampleParameters,
  readTimeseriesParameters,
} from "../request/parameters.ts";
import { makeTurns } from "../request/turns.ts";
import { problemOf, type RequestFault } from "../response/problem.ts";
import { makeRespond, sendProblem } from "../response/respond.ts";
import { addDeadLetterRoutes } from "./dead_letter_routes.ts";
import { eventsBody, jobBody, timeseriesBody } from "./present.ts";

/** The services that the routes of the API need. */
export type ApiServices =
  | Admission
  | Queue
  | DeadLetters
  | Summaries
  | SummaryCache
  | Activity
  | AccountEvents;

/** What the routes may take. */
export interface RouteLimits {
  /** How long an answer may take, in milliseconds. */
  readonly answerTimeoutMs: number;
}

/** The most bodies that wait to be decoded, of one client and of all. */
const BODIES_WAITING_PER_CLIENT_MAX = 1_024;
const BODIES_WAITING_MAX = 8_192;

/** The share of the time for an answer that a body may wait. */
const WAIT_SHARE = 0.5;

/** Is told how long a body has waited for its turns to be decoded, in seconds. */
export type OnTurn = (waitedSeconds: number) => void;

/** Adds the routes of the API: the command and the queries. */
export const addApiRoutes = (
  router: Router,
  services: Services.Context<ApiServices>,
  bodies: Bodies,
  { answerTimeoutMs }: RouteLimits,
  onTurn?: OnTurn,
): void => {
  const turns = makeTurns({
    limits: {
      waitingPerClientMax: BODIES_WAITING_PER_CLIENT_MAX,
      waitingMax: BODIES_WAITING_MAX,
      waitMaxMs: answerTimeoutMs * WAIT_SHARE,
    },
    ...(onTurn && { onWaited: onTurn }),
  });
  const respond = makeRespond(Services.add(services, Turns, turns), answerTimeoutMs);
  const admission = Services.get(services, Admission);
  const send = (ctx: Context) => (body: unknown) => {
    ctx.body = body;
  };

  /** For what is read anew each time, and is as large as its reader made it: no cache keeps it. */
  const sendFresh = (ctx: Context) => (body: unknown) => {
    ctx.set("Cache-Control", "no-store");
    ctx.body = body;
  };

  router.post("/events", async (ctx) => {
    const may = authorise(ctx, "write");
    if (Result.isFailure(may)) return sendProblem(ctx, problemOf(may.failure));
    const refusal = admission.refusal(Date.now(), clientOf(ctx));
    // Without a look at the body, which goes unread.
    if (refusal !== undefined) return sendProblem(ctx, problemOf(refusal));
    const received = await readBody(bodies, ctx.req, clientOf(ctx));
    const command = Effect.flatMap(Effect.fromResult(received), (body) =>
      recordEvents(body, may.success),
    );
    try {
      await respond(ctx, command, ({ jobId, queued }) => {
        ctx.status = 202;
        ctx.set("Location", `/jobs/${jobId}`);
        ctx.body = { statusCode: 202, jobId, queued };
      });
    } finally {
      // If the client left before that, the command never ran.
      if (Result.isSuccess(received)) received.success.release();
    }
    return undefined;
  });

  router.get("/jobs/:id", async (ctx) => {
    await respond(ctx, findJob(ctx), (job) => {
      ctx.set("Cache-Control", "no-store");
      ctx.body = jobBody(job);
    });
  });

  router.get("/accounts/sample", async (ctx) => {
    await respond(ctx, sampleAccounts(ctx), send(ctx));
  });

  router.get("/accounts/:id/timeseries", async (ctx) => {
    await respond(ctx, timeseries(ctx), sendFresh(ctx));
  });

  router.get("/accounts/:id/events", async (ctx) => {
    await respond(ctx, events(ctx), sendFresh(ctx));
  });

  addDeadLetterRoutes(router, services, answerTimeoutMs);
};

const findJob = Effect.fnUntraced(function* (ctx: Context) {
  const id = pathParameter(ctx, "id");
  const principal = principalOf(ctx);
  // Who sent it may ask what became of it.
  if (!hasScope(principal, "write")) yield* Effect.fromResult(authorise(ctx, "read"));
  const queue = yield* Queue;
  const found = yield* queue.find(id);
  // A job of others is not told from one that never was.
  if (Option.isSome(found) && found.value.accountIds.every((each) => covers(principal, each))) {
    return found.value;
  }
  const fault: RequestFault = { _tag: "JobUnknown", id: id.slice(0, 100).toWellFormed() };
  return yield* Effect.fail(fault);
});

const sampleAccounts = Effect.fnUntraced(function* (ctx: Context) {
  const principal = yield* Effect.fromResult(authorise(ctx, "read"));
  const { limit } = yield* Effect.fromResult(readSampleParameters(ctx.querystring));
  const { accounts } = principal;
  if (accounts._tag === "One") return { account_ids: [accounts.accountId] };
  const summaries = yield* Summaries;
  const prefix = accounts._tag === "Prefix" ? accounts.prefix : "";
  return { account_ids: yield* summaries.sampleAccounts(limit, prefix) };
});

const timeseries = Effect.fnUntraced(function* (ctx: Context) {
  const accountId = yield* Effect.fromResult(readAccountId(pathParameter(ctx, "id")));
  yield* Effect.fromResult(authorise(ctx, "read", accountId));
  const query = yield* Effect.fromResult(readTimeseriesParameters(ctx.querystring));
  return timeseriesBody(yield* accountTimeseries(accountId, query));
});

const events = Effect.fnUntraced(function* (ctx: Context) {
  const accountId = yield* Effect.fromResult(readAccountId(pathParameter(ctx, "id")));
  yield* Effect.fromResult(authorise(ctx, "read", accountId));
  const parameters = readEventsParameters(ctx.querystring, accountId);
  const { at, limit } = yield* Effect.fromResult(parameters);
  return eventsBody(yield* listEvents(accountId, at, limit));
});

const pathParameter = (ctx: Context, name: string): string =>
  (ctx["params"] as Readonly<Record<string, string>>)[name] ?? "";
