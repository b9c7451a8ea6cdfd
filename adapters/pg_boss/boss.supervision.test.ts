import { Effect } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { simulate } from "../../core/simulate.fixture.ts";
import { reportSupervision } from "./boss.ts";

const test = suite("the report of the queue's supervision");

test("an outage has one line when it begins and one when it is over, however often the supervisor fails", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const tell = yield* reportSupervision;
      for (let seconds = 0; seconds < 60; seconds += 2) {
        tell(new Error("connect ECONNREFUSED"));
        yield* TestClock.adjust("2 seconds");
      }
      const begun =
        "Warn: The queue is not supervised: jobs of dead workers wait, and ended jobs stay";
      assert.equal(logged, [begun]);
      yield* TestClock.adjust("1 minute");
      assert.equal(logged, [begun, "Info: The queue is supervised again"]);
    }).pipe(Effect.scoped),
    logged,
  );
});

test.run();
