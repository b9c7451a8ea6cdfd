import { Clock, Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeSignal, makeSignals, type Signal } from "./signal.ts";
import { simulate } from "./simulate.fixture.ts";

const test = suite("Signal");

/** Waits, and returns when the wait ended. */
const waited = (signal: Signal, atMostMs: number) =>
  Effect.andThen(signal.wait(atMostMs), Clock.currentTimeMillis);

test("a wait without a raise ends after its time, and not before", () =>
  simulate(
    Effect.gen(function* () {
      const waiting = yield* Effect.forkChild(waited(makeSignal(), 100));
      yield* TestClock.adjust(99);
      assert.is(waiting.pollUnsafe(), undefined);
      yield* TestClock.adjust(1);
      assert.is(yield* Fiber.join(waiting), 100);
    }),
  ));

test("a raise ends the wait immediately", () =>
  simulate(
    Effect.gen(function* () {
      const signal = makeSignal();
      const waiting = yield* Effect.forkChild(waited(signal, 100));
      yield* TestClock.adjust(30);
      yield* signal.raise;
      assert.is(yield* Fiber.join(waiting), 30);
    }),
  ));

test("a raise before the wait is remembered, once, however often it was raised", () =>
  simulate(
    Effect.gen(function* () {
      const signal = makeSignal();
      yield* signal.raise;
      yield* signal.raise;
      assert.is(yield* waited(signal, 100), 0);
      const second = yield* Effect.forkChild(waited(signal, 100));
      yield* TestClock.adjust(99);
      assert.is(second.pollUnsafe(), undefined);
      yield* TestClock.adjust(1);
      assert.is(yield* Fiber.join(second), 100);
    }),
  ));

test("a wait that times out does not change the signal", () =>
  simulate(
    Effect.gen(function* () {
      const signal = makeSignal();
      const first = yield* Effect.forkChild(waited(signal, 100));
      yield* TestClock.adjust(100);
      yield* Fiber.join(first);
      const second = yield* Effect.forkChild(waited(signal, 100));
      yield* TestClock.adjust(50);
      yield* signal.raise;
      assert.is(yield* Fiber.join(second), 150);
    }),
  ));

test("the signals of the service are independent", () =>
  simulate(
    Effect.gen(function* () {
      const { queued, appended } = makeSignals();
      yield* queued.raise;
      assert.is(yield* waited(queued, 100), 0);
      const other = yield* Effect.forkChild(waited(appended, 100));
      yield* TestClock.adjust(100);
      assert.is(yield* Fiber.join(other), 100);
    }),
  ));

test.run();
