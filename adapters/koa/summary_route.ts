import type Router from "@koa/router";
import { Context as Services, Effect, Result } from "effect";
import type { Context } from "koa";

import type { Question } from "../../core/query/answer.ts";
import { SummaryCache } from "../../core/query/summary_cache.ts";
import type { Summaries } from "../../core/summary/summaries.ts";
import { readAccountId, readSummaryParameters } from "./parameters.ts";
import type { RequestFault } from "./problem.ts";
import { remember } from "./remember.ts";
import { makeRespond } from "./respond.ts";
import { sendAnswer } from "./send_answer.ts";

/**
 * Adds the route that most reads come by. What this process has kept is answered at once, and only what
 * it has not is worth a fiber.
 */
export const addSummaryRoute = (
  router: Router,
  services: Services.Context<SummaryCache | Summaries>,
): void => {
  const respond = makeRespond(services);
  const cache = Services.get(services, SummaryCache);

  router.get("/accounts/:id/summary", (ctx) => {
    const since = performance.now();
    const question = readQuestion(ctx);
    const kept = Result.isSuccess(question) ? cache.hit(question.success) : undefined;
    if (kept !== undefined) {
      sendAnswer(ctx, { answer: kept, tier: "lru" }, performance.now() - since);
      return undefined;
    }
    const answered = Effect.flatMap(Effect.fromResult(question), cache.answer);
    return respond(ctx, answered, (value) => {
      sendAnswer(ctx, value, performance.now() - since);
    });
  });
};

/** Reading them anew each time took a tenth of what a kept answer costs. */
const readParameters = remember(readSummaryParameters);

const readQuestion = (ctx: Context): Result.Result<Question, RequestFault> => {
  const { id = "" } = ctx["params"] as Readonly<Record<string, string>>;
  const accountId = readAccountId(id);
  if (Result.isFailure(accountId)) return Result.fail(accountId.failure);
  const parameters = readParameters(ctx.querystring);
  return Result.map(parameters, ({ period, top }) => ({
    accountId: accountId.success,
    period,
    top,
  }));
};
