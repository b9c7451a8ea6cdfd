import { Effect } from "effect";

import type { AnswerStore } from "../../core/query/answer_store.ts";
import { readAnswer, writeAnswer } from "./answer_text.ts";
import type { Connection } from "./connection.ts";

/**
 * The most bytes of a kept answer. Nobody reads more of what is found under its key, so that whoever can write to Redis
 * cannot fill a process's memory with it; a larger answer is not kept there.
 */
export const ANSWER_BYTES_MAX = 1_048_576;

/**
 * Answers in Redis. Nothing is ever deleted there: whoever gets an answer judges it, and it expires
 * when no one may give it any more. They are signed together with their key, so that an answer which another process of
 * this log did not put there, or put under another key, is none.
 */
export const makeRedisAnswerStore = ({
  redis,
  breaker,
  prefix,
  signature,
}: Connection): AnswerStore["Service"] => ({
  get: (key) =>
    Effect.promise(async () => {
      const place = `${prefix}answer:${key}`;
      const kept = await breaker.call("read", () => redis.getrange(place, 0, ANSWER_BYTES_MAX - 1));
      const text = kept === undefined ? undefined : signature.verify(place, kept);
      return text === undefined ? undefined : readAnswer(text);
    }),

  put: (key, answer, forMs) =>
    Effect.promise(async () => {
      const ms = Math.max(1, Math.ceil(forMs));
      const place = `${prefix}answer:${key}`;
      const signed = signature.sign(place, writeAnswer(answer));
      if (Buffer.byteLength(signed) > ANSWER_BYTES_MAX) return;
      await breaker.call("write", () => redis.set(place, signed, "PX", ms));
    }),
});
