import { Context, type Effect } from "effect";

import type { Answer } from "./answer.ts";

/** Answers in this process: at once, and bounded in bytes. May forget any of them at any time. */
export interface AnswerMemory {
  readonly get: (key: string) => Answer | undefined;
  readonly put: (key: string, answer: Answer) => void;
}

/**
 * Answers that processes share. It may forget any of them, or give one that has been replaced: who
 * gets an answer judges it. Neither call ever fails, nor takes longer than a short deadline.
 */
export class AnswerStore extends Context.Service<
  AnswerStore,
  {
    readonly get: (key: string) => Effect.Effect<Answer | undefined>;
    /** @param forMs how long it can be of use, in milliseconds */
    readonly put: (key: string, answer: Answer, forMs: number) => Effect.Effect<void>;
  }
>()("tidemark/query/AnswerStore") {}
