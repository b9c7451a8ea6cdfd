import { setImmediate } from "node:timers/promises";

import { Effect, Exit, Fiber, Result } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeTurns, type TurnsOptions } from "./turns.ts";

const test = suite("turns");

const LIMITS: TurnsOptions["limits"] = {
  waitingPerClientMax: 100,
  waitingMax: 100,
  waitMaxMs: 1_000,
};

/** Turns with a clock that only steps advance, and a record of those steps. */
const setUp = (limits: Partial<TurnsOptions["limits"]> = {}) => {
  let clock = 0;
  const ran: string[] = [];
  const waited: number[] = [];
  const turns = makeTurns({
    limits: { ...LIMITS, ...limits },
    onWaited: (seconds) => waited.push(seconds),
    now: () => clock,
  });
  /** Work of so many steps that take so long each. */
  const work = (name: string, steps: number, ms: number) => {
    let left = steps;
    return () => {
      clock += ms;
      ran.push(name);
      return --left === 0 ? name : undefined;
    };
  };
  return {
    turns,
    ran,
    waited,
    work,
    start: (client: string, name: string, steps: number, ms: number) =>
      Effect.runFork(Effect.result(turns.run(client, work(name, steps, ms)))),
    pass: (ms: number) => void (clock += ms),
  };
};

/** Whether a fiber has ended. */
const isDone = (fiber: Fiber.Fiber<unknown>): boolean => fiber.pollUnsafe() !== undefined;

test("work that fits into a round runs immediately", () => {
  const { start, ran, waited } = setUp();
  assert.ok(isDone(start("a", "one", 4, 0.1)));
  assert.ok(isDone(start("b", "two", 1, 0.1)));
  assert.equal(ran, ["one", "one", "one", "one", "two"]);
  assert.equal(waited, [0, 0]);
});

test("a round ends after a millisecond, and yields the thread", async () => {
  const { start, ran } = setUp();
  const fiber = start("a", "large", 10, 0.5);
  assert.is(ran.length, 2);
  for (let round = 1; round < 5; round++) {
    assert.not.ok(isDone(fiber));
    await setImmediate();
    assert.is(ran.length, 2 + 2 * round);
  }
  await Effect.runPromise(Fiber.await(fiber));
  assert.is(ran.length, 10);
});

test("later work does not wait for the end of earlier work", async () => {
  const { start, ran } = setUp();
  start("a", "large", 100, 1);
  for (let i = 0; i < 50; i++) start("a", `more-${i}`, 100, 1);
  await setImmediate();
  const small = start("b", "small", 1, 0.1);
  const before = ran.length;
  await Effect.runPromise(Fiber.await(small));
  assert.ok(ran.length - before <= 2, ran.slice(before).join(" "));
});

test("interrupted work does no more steps, and frees its place", async () => {
  const { start, ran } = setUp({ waitingMax: 1 });
  const gone = start("a", "gone", 100, 1);
  await setImmediate();
  await Effect.runPromise(Fiber.interrupt(gone));
  const done = ran.length;
  const next = start("b", "next", 2, 0.1);
  assert.equal(await Effect.runPromise(Fiber.join(next)), Result.succeed("next"));
  assert.is(ran.filter((name) => name === "gone").length, done);
});

test("work that waits too long is refused, started or not", async () => {
  const { start, pass, ran } = setUp({ waitMaxMs: 50 });
  const [begun, waiting] = [start("a", "begun", 100, 1), start("a", "waiting", 1, 1)];
  await setImmediate();
  const before = ran.length;
  pass(50);
  for (const fiber of [begun, waiting]) {
    const result = await Effect.runPromise(Fiber.join(fiber));
    assert.ok(Result.isFailure(result));
    assert.equal([result.failure._tag, result.failure.reason], ["TurnRefused", "late"]);
    assert.ok(result.failure.retryAfterSeconds >= 1);
  }
  assert.is(ran.length, before);
});

test("work is refused immediately when too much waits", async () => {
  const { start } = setUp({ waitingPerClientMax: 1 });
  start("a", "first", 3, 1);
  const refused = await Effect.runPromise(Fiber.join(start("a", "second", 3, 1)));
  assert.ok(Result.isFailure(refused));
  assert.is(refused.failure.reason, "full");
  const other = start("b", "other", 3, 1);
  assert.equal(await Effect.runPromise(Fiber.join(other)), Result.succeed("other"));
});

test("an exception in a step is a defect of its own work, in any round", async () => {
  const { turns, start } = setUp();
  const bad = (stepsBefore: number) => {
    let steps = 0;
    const step = () => {
      if (steps++ < stepsBefore) return undefined;
      throw new Error("broken");
    };
    return Effect.runPromiseExit(turns.run("a", step));
  };
  assert.ok(Exit.hasDies(await bad(0)));
  start("b", "large", 5, 1);
  const [exit, other] = [bad(3), start("c", "other", 3, 1)];
  assert.ok(Exit.hasDies(await exit));
  assert.equal(await Effect.runPromise(Fiber.join(other)), Result.succeed("other"));
});

test("the reported wait excludes the work's own steps", async () => {
  const { start, waited } = setUp();
  const fibers = [start("a", "a", 4, 1), start("b", "b", 4, 1)];
  for (const fiber of fibers) await Effect.runPromise(Fiber.await(fiber));
  // By its fourth step, each has waited for steps of the other.
  assert.is(waited.length, 2);
  for (const seconds of waited) assert.ok(seconds >= 0.002 && seconds <= 0.005, String(seconds));
});

test.run();
