import { Data, Effect, Exit } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  FaultObserver,
  type FaultReportOptions,
  makeFaultReport,
  makeTransitions,
} from "./report_faults.ts";
import { simulate } from "./simulate.fixture.ts";
import type { StoreFailure } from "./store_failure.ts";

class TaskUnavailable extends Data.TaggedError("TaskUnavailable")<StoreFailure> {}

const test = suite("a report of faults");

/** A report, and what its observer received. */
const observed = Effect.fnUntraced(function* (
  options?: Pick<FaultReportOptions, "recoveredAfterMs">,
) {
  const heard: string[] = [];
  const observer = (task: string) => ({
    failed: (reason: string) => void heard.push(`${task} failed: ${reason}`),
    recovered: () => void heard.push(`${task} recovered`),
  });
  const report = yield* makeFaultReport({
    task: "test",
    failing: "The task fails",
    working: "The task works again",
    ...options,
  }).pipe(Effect.provideService(FaultObserver, observer));
  return { heard, report };
});

test("each failure is counted with its root cause, and logged once when failures start and once when they end", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { heard, report } = yield* observed();
      const denied = new TaskUnavailable({
        cause: new Error("query failed", { cause: new Error("permission denied") }),
      });
      assert.is(yield* report.watch(Effect.succeed(1)), 1);
      for (let i = 0; i < 3; i++) assert.is(yield* report.watch(Effect.fail(denied)), undefined);
      assert.equal(logged, ["Warn: The task fails"]);
      for (let i = 0; i < 3; i++) assert.is(yield* report.watch(Effect.succeed(2)), 2);
      yield* report.failed(new AggregateError([new Error("one"), new Error("two")]));
      assert.equal(logged, [
        "Warn: The task fails",
        "Info: The task works again",
        "Warn: The task fails",
      ]);
      assert.equal(heard, [
        "test failed: Error: permission denied",
        "test failed: Error: permission denied",
        "test failed: Error: permission denied",
        "test recovered",
        "test failed: Error: one, Error: two",
      ]);
    }),
    logged,
  );
});

test("a fault of a store is counted and not logged, because it is logged where the store is watched", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { heard, report } = yield* observed();
      const fault = new TaskUnavailable({ cause: new Error("permission denied"), fault: "rights" });
      const unavailable = new TaskUnavailable({ cause: new Error("no answer") });
      for (let i = 0; i < 2; i++) yield* report.watch(Effect.fail(fault));
      yield* report.worked;
      assert.equal(logged, []);
      for (const error of [fault, unavailable, fault]) yield* report.watch(Effect.fail(error));
      assert.equal(logged, ["Warn: The task fails"]);
      yield* report.worked;
      assert.equal(logged.slice(1), ["Info: The task works again"]);
      assert.equal(heard, [
        "test failed: Error: permission denied",
        "test failed: Error: permission denied",
        "test recovered",
        "test failed: Error: permission denied",
        "test failed: Error: no answer",
        "test failed: Error: permission denied",
        "test recovered",
      ]);
    }),
    logged,
  );
});

test("a task of several parts counts as working again only when none has failed for long enough", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { heard, report } = yield* observed({ recoveredAfterMs: 15_000 });
      for (let i = 0; i < 3; i++) {
        yield* report.failed(new Error("a part"));
        yield* TestClock.adjust("14999 millis");
        yield* report.worked;
      }
      assert.equal(logged, ["Warn: The task fails"]);
      yield* TestClock.adjust("1 millis");
      for (let i = 0; i < 3; i++) yield* report.worked;
      assert.equal(logged.slice(1), ["Info: The task works again"]);
      assert.equal(heard.slice(-2), ["test failed: Error: a part", "test recovered"]);
    }),
    logged,
  );
});

test("setting the clock back does not prevent a task from working again", () =>
  simulate(
    Effect.gen(function* () {
      const { heard, report } = yield* observed();
      yield* TestClock.setTime(3_600_000);
      yield* report.failed(new Error("once"));
      yield* TestClock.setTime(0);
      yield* report.worked;
      assert.is(heard.at(-1), "test recovered");
    }),
  ));

test("a defect of the task passes through", () =>
  simulate(
    Effect.gen(function* () {
      const { heard, report } = yield* observed();
      const exit = yield* Effect.exit(report.watch(Effect.die(new Error("a defect"))));
      assert.ok(Exit.isFailure(exit));
      assert.equal(heard, []);
    }),
  ));

test("a change of state is logged once, whatever the states are", () => {
  const lines: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { state, to } = makeTransitions<"read" | "failed" | "closed">("read");
      for (const next of ["read", "failed", "failed", "closed", "closed", "read"] as const) {
        yield* to(
          next,
          Effect.sync(() => void lines.push(next)),
        );
        assert.is(state(), next);
      }
      assert.equal(lines, ["failed", "closed", "read"]);
    }),
  );
});

test.run();
