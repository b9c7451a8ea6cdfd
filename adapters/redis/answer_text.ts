import type { Answer } from "../../core/query/answer.ts";

/** Part of every key: an answer that was kept in another form than this is never found. */
export const ANSWER_FORMAT = 3;

/** An answer as Redis keeps it: one line with its numbers, and then its text as it is. */
export const writeAnswer = (answer: Answer): string => {
  const { shard, checkpoint, generation, asOf, readAt, text } = answer;
  return `${shard} ${checkpoint} ${generation} ${asOf} ${readAt}\n${text}`;
};

/** Reads an answer; undefined for anything else that was found under its key. */
export const readAnswer = (kept: string): Answer | undefined => {
  const numbers = HEAD.exec(kept);
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

const HEAD = /^(\d{1,15}) (\d{1,15}) (\d{1,15}) (\d{1,15}) (\d{1,15})\n/;
