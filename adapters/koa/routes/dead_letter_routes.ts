import type Router from "@koa/router";
import { type Context as Services, Effect, Option } from "effect";
import type { Context } from "koa";

import { DeadLetters } from "../../../core/queue/dead_letters.ts";
import { authoriseForAll } from "../access/principal.ts";
import { readDeadLettersParameters } from "../request/parameters.ts";
import type { RequestFault } from "../response/problem.ts";
import { makeRespond } from "../response/respond.ts";
import { deadLetterBody, deadLettersBody } from "./present.ts";

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
  yield* Effect.fromResult(authoriseForAll(ctx, "admin"));
  const { limit } = yield* Effect.fromResult(readDeadLettersParameters(ctx.querystring));
  const letters = yield* DeadLetters;
  // One more than asked for, to know whether there are more.
  const found = yield* letters.list(limit + 1);
  return deadLettersBody(found.slice(0, limit), found.length > limit);
});

const find = Effect.fnUntraced(function* (ctx: Context) {
  yield* Effect.fromResult(authoriseForAll(ctx, "admin"));
  const letters = yield* DeadLetters;
  const id = idIn(ctx);
  const found = yield* letters.find(id);
  return Option.isSome(found) ? deadLetterBody(found.value) : yield* Effect.fail(unknown(id));
});

/** Redrives or drops one, and returns its id. */
const deal = Effect.fnUntraced(function* (ctx: Context, command: "redrive" | "drop") {
  yield* Effect.fromResult(authoriseForAll(ctx, "admin"));
  const letters = yield* DeadLetters;
  const id = idIn(ctx);
  return (yield* letters[command](id)) ? id : yield* Effect.fail(unknown(id));
});

const idIn = (ctx: Context): string => (ctx["params"] as { readonly id?: string }).id ?? "";

const unknown = (id: string): RequestFault => ({
  _tag: "DeadLetterUnknown",
  id: id.slice(0, 100).toWellFormed(),
});
