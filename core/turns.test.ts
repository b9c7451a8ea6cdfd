import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { Turns } from "./turns.ts";

const test = suite("turns");

test("without a service that shares the thread, work is done step by step in one go", async () => {
  let steps = 0;
  const step = () => (++steps === 5 ? "done" : undefined);
  const run = Effect.flatMap(Turns, (turns) => turns.run("key:1", step));
  assert.is(await Effect.runPromise(run), "done");
  assert.is(steps, 5);
});

test.run();
