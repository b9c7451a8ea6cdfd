import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Answer } from "../../core/query/answer.ts";
import { answerStoreConformance } from "../../core/query/answer_store.conformance.ts";
import { makeAnswerMemory, makeMemoryAnswerStore } from "./answers.ts";

answerStoreConformance("memory", async () => ({
  store: makeMemoryAnswerStore(makeAnswerMemory(64 * 1024 * 1024)),
  close: async () => {},
}));

const test = suite("answers in memory");

const answer = (text: string): Answer => ({
  text,
  shard: 0,
  checkpoint: 0,
  generation: 1,
  asOf: 0,
  readAt: 0,
});

test("answers use no more bytes than allowed, however many and long they are", () => {
  const bytesMax = 1024 * 1024;
  for (const length of [0, 10, 1_000, 300_000]) {
    const memory = makeAnswerMemory(bytesMax);
    for (let i = 0; i < 10_000; i++) memory.put(`key ${i}`, answer("x".repeat(length)));
    const kept = Array.from({ length: 10_000 }, (_, i) => memory.get(`key ${i}`));
    const count = kept.filter((one) => one !== undefined).length;
    assert.ok(count >= 1, `${length}: nothing is kept`);
    // Two bytes for each character, and some for the entry.
    assert.ok(count * (2 * length + 100) <= bytesMax, `${length}: ${count}`);
  }
});

test("an answer that is larger than the cache is not kept, and evicts nothing", () => {
  const memory = makeAnswerMemory(100_000);
  memory.put("small", answer("x"));
  memory.put("large", answer("x".repeat(100_000)));
  assert.equal([memory.get("small")?.text, memory.get("large")], ["x", undefined]);
});

test("the least recently used answer is evicted first", () => {
  const memory = makeAnswerMemory(3_000);
  for (const key of ["a", "b", "c"]) memory.put(key, answer("x".repeat(250)));
  memory.get("a");
  memory.put("d", answer("x".repeat(250)));
  assert.equal(
    ["a", "b", "c", "d"].map((key) => memory.get(key) !== undefined),
    [true, false, true, true],
  );
});

test.run();
