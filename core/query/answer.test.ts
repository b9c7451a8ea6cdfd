import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { keyOf, type Question } from "./answer.ts";

const test = suite("keyOf");

const question: fc.Arbitrary<Question> = fc.record({
  accountId: fc.constantFrom("a", "a1", "1..2", "last_24h", "a 10"),
  period: fc.oneof(
    fc.constantFrom("last_24h" as const, "last_7d" as const),
    fc.record({ from: fc.integer({ min: -20, max: 20 }), to: fc.integer({ min: -20, max: 20 }) }),
  ),
  top: fc.constantFrom(1, 10, 11, 100),
});

test("two questions have the same key exactly if they are the same", () => {
  fc.assert(
    fc.property(question, question, (a, b) => {
      assert.is(keyOf(a) === keyOf(b), JSON.stringify(a) === JSON.stringify(b));
    }),
    { numRuns: 1_000 },
  );
});

test.run();
