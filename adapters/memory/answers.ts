import { Effect } from "effect";
import { LRUCache } from "lru-cache";

import type { Answer, AnswerMemory, AnswerStore } from "../../core/query/answer.ts";

/**
 * What an answer takes beside its texts, in bytes: the objects and the cache's own books. Counting it
 * for each also bounds how many there can be.
 */
const ENTRY_BYTES = 400;

/** V8 takes two bytes for each character as soon as one of them needs it. */
const BYTES_PER_CHARACTER = 2;

/** Answers in memory. The least recently used go first when they would take more than `bytesMax`. */
export const makeAnswerMemory = (bytesMax: number): AnswerMemory => {
  const answers = new LRUCache<string, Answer>({
    maxSize: bytesMax,
    sizeCalculation: (answer, key) =>
      ENTRY_BYTES + BYTES_PER_CHARACTER * (key.length + answer.text.length),
  });
  return {
    get: (key) => answers.get(key),
    put: (key, answer) => void answers.set(key, answer),
  };
};

/** Answers in memory as a store that several nodes of one process share. */
export const makeMemoryAnswerStore = (memory: AnswerMemory): AnswerStore["Service"] => ({
  get: (key) => Effect.sync(() => memory.get(key)),
  put: (key, answer) => Effect.sync(() => memory.put(key, answer)),
});

/** The store of a process that shares its answers with none. */
export const noAnswerStore: AnswerStore["Service"] = {
  get: () => Effect.undefined,
  put: () => Effect.void,
};
