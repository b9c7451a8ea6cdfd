import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeRetrying } from "./retry.ts";

const test = suite("retries of database calls");

const broken = (): Error =>
  Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });

/** A call that fails a number of times before it succeeds. */
const failing = (times: number, error: () => Error = broken) => {
  const call = {
    runs: 0,
    run: async (): Promise<string> => {
      call.runs++;
      if (call.runs <= times) throw error();
      return "done";
    },
  };
  return call;
};

const quick = () => makeRetrying({ delaysMs: [1, 1, 1] });

const failureOf = async (run: Promise<unknown>): Promise<Error> => {
  try {
    await run;
  } catch (error) {
    return error as Error;
  }
  throw new Error("it should have failed");
};

test("a call whose connection broke is retried, at most three times", async () => {
  const passing = failing(3);
  assert.is(await quick()(passing.run), "done");
  assert.is(passing.runs, 4);
  const lasting = failing(4);
  assert.match((await failureOf(quick()(lasting.run))).message, /ECONNREFUSED/);
  assert.is(lasting.runs, 4);
});

test("an error that a new connection would not fix is not retried", async () => {
  for (const error of [new Error("Query read timeout"), new Error("bug"), new TypeError("x")]) {
    const call = failing(1, () => error);
    assert.is(await failureOf(quick()(call.run)), error);
    assert.is(call.runs, 1);
  }
});

test("while everything fails, retries stop when the budget is used up, and successes refill it", async () => {
  const retrying = quick();
  let runs = 0;
  const away = async (): Promise<never> => {
    runs++;
    throw broken();
  };
  for (let i = 0; i < 100; i++) await failureOf(retrying(away));
  assert.is(runs, 100 + 10);
  for (let i = 0; i < 20; i++) await retrying(async () => "fine");
  runs = 0;
  await failureOf(retrying(away));
  assert.is(runs, 1 + 2);
});

test("a call that was aborted is not retried", async () => {
  const retrying = makeRetrying({ delaysMs: [60_000] });
  const abort = new AbortController();
  const call = failing(1);
  const outcome = failureOf(retrying(call.run, abort.signal));
  await new Promise((resolve) => setImmediate(resolve));
  abort.abort();
  assert.match((await outcome).message, /ECONNREFUSED/);
  assert.is(call.runs, 1);
});

test.run();
