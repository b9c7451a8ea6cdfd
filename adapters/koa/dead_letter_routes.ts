import type Router from "@koa/router";
import { type Context as Services, Effect, Option, Result } from "effect";
import type { Context } from "koa";

import { DeadLetters } from "../../core/queue/dead_letters.ts";
import { readDeadLettersParameters } from "./parameters.ts";
import { deadLetterBody, deadLettersBody } from "./present.ts";
import { authorise } from "./principal.ts";
import type { RequestFault } from "./problem.ts";
import { makeRespond } from "./respond.ts";

/** Adds the routes by which an operator deals with what could not be appended. */
export const addDeadLetterRoutes = (
  router: Router,
  services: Services.Context<DeadLetters>,
  timeoutMs: number,
): void => {
  const respond = makeRespond(services, timeoutMs);
  const send = (ctx: Context) => (body: unknown) => {
    ctx.set("Cache-Control", "no-store");
    ctx.body = body;
  };

  router.get("/dead-letters", (ctx) => respond(ctx, list(ctx), send(ctx)));

  router.get("/dead-letters/:id", (ctx) => respond(ctx, find(ctx), send(ctx)));

  router.post("/dead-letters/:id/redrive", (ctx) =>
    respond(ctx, deal(ctx, "redrive"), (id) => {
      ctx.status = 202;
      ctx.body = { id };
    }),
  );

  router.delete("/dead-letters/:id", (ctx) =>
    respond(ctx, deal(ctx, "drop"), () => {
      ctx.status = 204;
    }),
  );
};

const list = Effect.fnUntraced(function* (ctx: Context) {
  yield* Effect.fromResult(authoriseForAll(ctx));
  const { limit } = yield* Effect.fromResult(readDeadLettersParameters(ctx.querystring));
  const letters = yield* DeadLetters;
  // One more than asked for, to know whether there are more.
  const found = yield* letters.list(limit + 1);
  return deadLettersBody(found.slice(0, limit), found.length > limit);
});

const find = Effect.fnUntraced(function* (ctx: Context) {
  yield* Effect.fromResult(authoriseForAll(ctx));
  const letters = yield* DeadLetters;
  const id = idIn(ctx);
  const found = yield* letters.find(id);
  return Option.isSome(found) ? deadLetterBody(found.value) : yield* Effect.fail(unknown(id));
});

/** Redrives or drops one, and returns its id. */
const deal = Effect.fnUntraced(function* (ctx: Context, command: "redrive" | "drop") {
  yield* Effect.fromResult(authoriseForAll(ctx));
  const letters = yield* DeadLetters;
  const id = idIn(ctx);
  return (yield* letters[command](id)) ? id : yield* Effect.fail(unknown(id));
});

/** A letter can hold events of any account, so a key for some accounts is not enough. */
const authoriseForAll = (ctx: Context): Result.Result<void, RequestFault> =>
  Result.flatMap(authorise(ctx, "admin"), ({ accounts }) =>
    accounts._tag === "All" ? Result.succeed(undefined) : Result.fail({ _tag: "AccountForbidden" }),
  );

const idIn = (ctx: Context): string => (ctx["params"] as { readonly id?: string }).id ?? "";

const unknown = (id: string): RequestFault => ({
  _tag: "DeadLetterUnknown",
  id: id.slice(0, 100).toWellFormed(),
});
