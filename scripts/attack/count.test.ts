import { suite } from "uvu";
import * as assert from "uvu/assert";

import { miscounted } from "./count.ts";
import type { SentCount } from "./honest.ts";
import { startStub } from "./stub.fixture.ts";

const test = suite("miscounted");

/** Checks a service whose summary has these counts one after another. */
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

test("an account that counts what was accepted passes, however late", async () => {
  assert.equal(await holdAgainst([3, 4, 5], { accepted: 5, unknown: 0 }), []);
});

test("an accepted event that is never counted is reported", async () => {
  const [problem = ""] = await holdAgainst([4], { accepted: 5, unknown: 0 });
  assert.match(problem, "acme counts 4 events; 5 were accepted");
});

test("an event that is counted twice is reported", async () => {
  assert.is((await holdAgainst([6], { accepted: 5, unknown: 0 })).length, 1);
});

test("an event without a clear answer may be counted or not", async () => {
  assert.equal(await holdAgainst([5], { accepted: 5, unknown: 1 }), []);
  assert.equal(await holdAgainst([6], { accepted: 5, unknown: 1 }), []);
  assert.is((await holdAgainst([7], { accepted: 5, unknown: 1 })).length, 1);
});

test.run();
