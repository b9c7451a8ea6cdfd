import { Effect } from "effect";

import type { Answer, AnswerStore } from "../../core/query/answer.ts";
import type { Connection } from "./connection.ts";

/**
 * The most bytes that are stored for an answer, or read from Redis. A client that can write to
 * Redis cannot fill a process's memory with a larger one.
 */
export const ANSWER_BYTES_MAX = 1_048_576;

/**
 * Answers in Redis. Nothing is ever deleted: the reader judges each answer, and an answer expires
 * when it may no longer be given. Each is signed together with its key, so that only an answer that
 * a process of this log stored under that key counts.
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

/** The format of an answer in Redis: one line with its numbers, followed by its text. */
export const writeAnswer = (answer: Answer): string => {
  const { shard, checkpoint, generation, asOf, readAt, text } = answer;
  return `${shard} ${checkpoint} ${generation} ${asOf} ${readAt}\n${text}`;
};

const NUMBERS = /^(\d{1,15}) (\d{1,15}) (\d{1,15}) (\d{1,15}) (\d{1,15})\n/;

/** Reads an answer; undefined for anything else under its key. */
const readAnswer = (kept: string): Answer | undefined => {
  const numbers = NUMBERS.exec(kept);
  if (numbers === null) return undefined;
  const [head, shard, checkpoint, generation, asOf, readAt] = numbers;
  return {
    shard: Number(shard),
    checkpoint: Number(checkpoint),
    generation: Number(generation),
    asOf: Number(asOf),
    readAt: Number(readAt),
    text: kept.slice(head.length),
  };
};
