import { Effect } from "effect";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Answer, AnswerStore } from "./answer.ts";

export interface OpenedAnswerStore {
  readonly store: AnswerStore["Service"];
  readonly close: () => Promise<void>;
}

const time = fc.integer({ min: 0, max: Date.UTC(2100, 0) });
const answer: fc.Arbitrary<Answer> = fc.record(
  {
    text: fc.string({ unit: "grapheme", maxLength: 200 }),
    shard: fc.nat({ max: 255 }),
    checkpoint: fc.maxSafeNat().map((position) => position % 1e15),
    generation: fc.nat(),
    asOf: time,
    readAt: time,
  },
  { noNullPrototype: true },
);

/** What every adapter of `AnswerStore` promises while its backend works. */
export const answerStoreConformance = (
  adapter: string,
  open: () => Promise<OpenedAnswerStore>,
): void => {
  const test = suite(`AnswerStore: ${adapter}`);
  let opened: OpenedAnswerStore;

  test.before(async () => {
    opened = await open();
  });
  test.after(() => opened.close());

  const get = (key: string) => Effect.runPromise(opened.store.get(key));
  const put = (key: string, value: Answer) =>
    Effect.runPromise(opened.store.put(key, value, 60_000));

  test("a key that was never put has no answer", async () => {
    assert.is(await get("never"), undefined);
  });

  test("the last answer under a key is returned unchanged, and under no other key", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom("a", "a\nb", "ä:{a}", "b"), answer), { minLength: 1 }),
        async (puts) => {
          for (const [key, value] of puts) await put(key, value);
          for (const [key, value] of new Map(puts)) assert.equal(await get(key), value);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("a long text is returned as well", async () => {
    const text = "😀".repeat(100_000);
    await put("long", { text, shard: 0, checkpoint: 0, generation: 1, asOf: 0, readAt: 0 });
    assert.is((await get("long"))?.text, text);
  });

  test.run();
};
