import { Effect } from "effect";

import type { AnswerStore } from "../../core/query/answer_store.ts";
import { readAnswer, writeAnswer } from "./answer_text.ts";
import type { Connection } from "./connection.ts";

/**
 * Answers in Redis. Nothing is ever deleted there: whoever gets an answer judges it, and it expires
 * when no one may give it any more.
 */
export const makeRedisAnswerStore = ({
  redis,
  breaker,
  prefix,
}: Connection): AnswerStore["Service"] => ({
  get: (key) =>
    Effect.promise(async () => {
      const kept = await breaker.call(() => redis.get(`${prefix}answer:${key}`));
      return typeof kept === "string" ? readAnswer(kept) : undefined;
    }),

  put: (key, answer, forMs) =>
    Effect.promise(async () => {
      const ms = Math.max(1, Math.ceil(forMs));
      await breaker.call(() => redis.set(`${prefix}answer:${key}`, writeAnswer(answer), "PX", ms));
    }),
});
