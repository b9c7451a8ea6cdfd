import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";

import type Router from "@koa/router";
import { Context as Services, Effect, Result } from "effect";
import type { Context } from "koa";
import { LRUCache } from "lru-cache";

import { covers, hasScope } from "../../../core/access/principal.ts";
import type { Question } from "../../../core/query/answer.ts";
import { SummaryCache } from "../../../core/query/summary_cache.ts";
import type { Summaries } from "../../../core/summary/summaries.ts";
import type { Known } from "../access/gate.ts";
import { authorise } from "../access/principal.ts";
import { readAccountId, readSummaryParameters } from "../request/parameters.ts";
import type { RequestFault } from "../response/problem.ts";
import { makeRespond } from "../response/respond.ts";
import { sendAnswer, sendKept } from "../response/send_answer.ts";
import type { OnResponse } from "../telemetry/observe.ts";
import { givenRequestId } from "../telemetry/request_id.ts";
import { spanOfRequest } from "../telemetry/trace_requests.ts";

const ROUTE = "/accounts/:id/summary";

/** How many URLs are remembered, and how long one may be: together some megabytes. */
const URLS_MAX = 10_000;
const URL_CHARACTERS_MAX = 400;

/** Whether it has answered a request; the route tells who may not read it, and what is wrong with it. */
export type AnswerKept = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * The route that most reads come by, in two halves. What this process has kept is answered ahead of koa, by
 * the URL: no parameter is read, and no context made or fiber started for it. The rest takes the route.
 */
export const makeSummaryRoute = (
  services: Services.Context<SummaryCache | Summaries>,
  timeoutMs: number,
  known: Known,
  onResponse: OnResponse,
) => {
  const respond = makeRespond(services, timeoutMs);
  const cache = Services.get(services, SummaryCache);
  /** What was asked by URLs that were answered before. A URL says it all: reading it is pure. */
  const asked = new LRUCache<string, Question>({ max: URLS_MAX });

  const answerKept: AnswerKept = (request, response) => {
    const since = performance.now();
    const { method, url = "", headers } = request;
    const question = method === "GET" ? asked.get(url) : undefined;
    if (question === undefined || headers.host === undefined || !namesOneTag(headers)) return false;
    const principal = known(request);
    if (principal === undefined || !hasScope(principal, "read")) return false;
    if (!covers(principal, question.accountId)) return false;
    const answer = cache.hit(question);
    if (answer === undefined) return false;
    // To make one costs more than all that is looked up here, and there is nothing else that it would name.
    const id = givenRequestId(request);
    sendKept(request, response, { answer, tier: "lru" }, performance.now() - since, id);
    const seconds = (performance.now() - since) / 1_000;
    const status = response.statusCode;
    onResponse({ route: ROUTE, method: "GET", status, seconds, request_id: id });
    return true;
  };

  const addRoute = (router: Router): void => {
    router.get(ROUTE, (ctx) => {
      const since = performance.now();
      const question = readQuestion(ctx);
      const answered = Effect.flatMap(Effect.fromResult(question), cache.answer);
      return respond(ctx, answered, (value) => {
        const { url = "" } = ctx.req;
        if (Result.isSuccess(question) && url.length <= URL_CHARACTERS_MAX) {
          asked.set(url, question.success);
        }
        spanOfRequest(ctx)?.attribute("tidemark.cache.tier", value.tier);
        sendAnswer(ctx, value, performance.now() - since);
      });
    });
  };

  return { answerKept, addRoute };
};

/** At most one tag, and no list of them or weak ones, which nobody got from here. */
const namesOneTag = ({ "if-none-match": tags }: IncomingHttpHeaders): boolean =>
  tags === undefined || /^"[^"]*"$/.test(tags);

const readQuestion = (ctx: Context): Result.Result<Question, RequestFault> => {
  const { id = "" } = ctx["params"] as Readonly<Record<string, string>>;
  const accountId = readAccountId(id);
  if (Result.isFailure(accountId)) return Result.fail(accountId.failure);
  const may = authorise(ctx, "read", accountId.success);
  if (Result.isFailure(may)) return Result.fail(may.failure);
  const parameters = readSummaryParameters(ctx.querystring);
  return Result.map(parameters, ({ period, top }) => ({
    accountId: accountId.success,
    period,
    top,
  }));
};
