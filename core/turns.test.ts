import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { Turns } from "./turns.ts";

const test = suite("turns");

test("by default, work runs all its steps without interruption", async () => {
  let steps = 0;
  const step = () => (++steps === 5 ? "done" : undefined);
  const run = Effect.flatMap(Turns, (turns) => turns.run("key:1", step));
  assert.is(await Effect.runPromise(run), "done");
  assert.is(steps, 5);
});

test.run();
