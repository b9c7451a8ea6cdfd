import { Effect } from "effect";
import { LRUCache } from "lru-cache";

import type { Answer, AnswerMemory, AnswerStore } from "../../core/query/answer.ts";

/** The bytes of an answer beside its text, for its objects; they also bound how many there are. */
const ENTRY_BYTES = 400;

/** V8 uses two bytes for every character of a string as soon as one of them needs it. */
const BYTES_PER_CHARACTER = 2;

/** Answers in memory, at most `bytesMax`; the least recently used are evicted first. */
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

/** Answers in memory as a store that several simulated nodes share. */
export const makeMemoryAnswerStore = (memory: AnswerMemory): AnswerStore["Service"] => ({
  get: (key) => Effect.sync(() => memory.get(key)),
  put: (key, answer) => Effect.sync(() => memory.put(key, answer)),
});

/** The store of a process that shares no answers. */
export const noAnswerStore: AnswerStore["Service"] = {
  get: () => Effect.undefined,
  put: () => Effect.void,
};
