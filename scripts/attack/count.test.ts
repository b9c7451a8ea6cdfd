import { suite } from "uvu";
import * as assert from "uvu/assert";

import { miscounted } from "./count.ts";
import type { SentCount } from "./honest.ts";
import { startStub } from "./stub.fixture.ts";

const test = suite("miscounted");

/** Holds a service that counts so many against what was sent. */
const holdAgainst = async (counts: ReadonlyArray<number>, sent: Omit<SentCount, "key">) => {
  let asked = 0;
  const stub = await startStub(() => {
    const login = counts[Math.min(asked++, counts.length - 1)];
    return { status: 200, body: JSON.stringify({ totals: { login } }) };
  });
  const problems = await miscounted(stub.url, new Map([["acme", { key: "key", ...sent }]]), 600);
  await stub.close();
  return problems;
};

test("an account that counts what was accepted is in order, however late", async () => {
  assert.equal(await holdAgainst([3, 4, 5], { accepted: 5, unknown: 0 }), []);
});

test("an accepted event that is never counted is told", async () => {
  const [problem = ""] = await holdAgainst([4], { accepted: 5, unknown: 0 });
  assert.match(problem, "acme counts 4; 5 were accepted");
});

test("an event that is counted twice is told", async () => {
  assert.is((await holdAgainst([6], { accepted: 5, unknown: 0 })).length, 1);
});

test("an event of which nobody knows may be counted or not", async () => {
  assert.equal(await holdAgainst([5], { accepted: 5, unknown: 1 }), []);
  assert.equal(await holdAgainst([6], { accepted: 5, unknown: 1 }), []);
  assert.is((await holdAgainst([7], { accepted: 5, unknown: 1 })).length, 1);
});

test.run();
