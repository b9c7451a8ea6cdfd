import { Clock, Deferred, Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  poll,
  POLL_FOLLOW_MS,
  POLL_MAX_MS,
  POLL_MIN_MS,
  POLL_PACE_MS,
  type Wakes,
} from "./poll.ts";
import { makeSignal } from "./signal.ts";
import { settled, simulate, until } from "./simulate.fixture.ts";

const test = suite("poll");

/** What one look finds: more than it can take, some, nothing, or a dependency that is away. */
type Scripted = "busy" | "some" | "idle" | "away";

/** Polls in the background; the looks find what `script` says, and nothing after its end. */
const startPoll = Effect.fnUntraced(function* (script: ReadonlyArray<Scripted>, wakes?: Wakes) {
  const signal = makeSignal();
  const looks: number[] = [];
  const failures: string[] = [];
  const look = Effect.gen(function* () {
    const found = script[looks.length] ?? "idle";
    looks.push(yield* Clock.currentTimeMillis);
    if (found === "away") return yield* Effect.fail("away");
    return ({ busy: "more", some: "some", idle: "none" } as const)[found];
  });
  const onAway = (error: string) => Effect.sync(() => void failures.push(error));
  const fiber = yield* Effect.forkDetach(poll(look, signal, onAway, wakes));
  return { signal, looks, failures, fiber };
});

/** When a loop looks that never finds anything, in milliseconds from its start. */
const idleLooks = (untilMs: number): number[] => {
  const looks: number[] = [];
  let wait = POLL_MIN_MS;
  for (let at = 0; at <= untilMs; wait = Math.min(wait * 2, POLL_MAX_MS)) {
    looks.push(at);
    at += wait;
  }
  return looks;
};

test("an idle loop waits 20 ms, then twice as long each time, up to 250 ms", () =>
  simulate(
    Effect.gen(function* () {
      const { looks } = yield* startPoll([]);
      yield* TestClock.adjust(1_100);
      assert.equal(looks, [0, 20, 60, 140, 300, 550, 800, 1_050]);
      assert.equal(looks, idleLooks(1_100));
    }),
  ));

test("while there is some work the loop looks at its pace, so that more gathers, signal or not", () =>
  simulate(
    Effect.gen(function* () {
      const { looks, signal } = yield* startPoll(["some", "some", "some"]);
      yield* TestClock.adjust(POLL_PACE_MS / 2);
      yield* signal.raise;
      yield* TestClock.adjust(3 * POLL_PACE_MS);
      assert.equal(
        looks.slice(0, 4),
        [0, 1, 2, 3].map((n) => n * POLL_PACE_MS),
      );
    }),
  ));

test("a loop that is always woken looks when its signal is raised, or somewhat later than the pace", () =>
  simulate(
    Effect.gen(function* () {
      const { looks, signal } = yield* startPoll(["some", "some", "some", "some"], "always");
      yield* TestClock.adjust(10);
      yield* signal.raise;
      yield* until("a look", () => looks.length === 2);
      yield* TestClock.adjust(2 * POLL_FOLLOW_MS);
      assert.equal(looks.slice(0, 4), [0, 10, 10 + POLL_FOLLOW_MS, 10 + 2 * POLL_FOLLOW_MS]);
    }),
  ));

test("the pace is counted from the beginning of a look, however long it took", () =>
  simulate(
    Effect.gen(function* () {
      const looks: number[] = [];
      const look = Effect.gen(function* () {
        looks.push(yield* Clock.currentTimeMillis);
        yield* Effect.sleep(looks.length === 1 ? POLL_PACE_MS - 10 : 5 * POLL_PACE_MS);
        return "some" as const;
      });
      yield* Effect.forkDetach(poll(look, makeSignal(), () => Effect.void));
      yield* TestClock.adjust(6 * POLL_PACE_MS);
      assert.equal(looks, [0, POLL_PACE_MS, 6 * POLL_PACE_MS]);
    }),
  ));

test("while there is more work than a look takes the loop looks again at once", () =>
  simulate(
    Effect.gen(function* () {
      const { looks } = yield* startPoll(["busy", "busy", "busy"]);
      yield* until("four looks", () => looks.length === 4);
      assert.equal(looks, [0, 0, 0, 0]);
      yield* TestClock.adjust(19);
      assert.is(looks.length, 4);
      yield* TestClock.adjust(1);
      assert.equal(looks.slice(4), [20]);
    }),
  ));

test("work makes the waits short again", () =>
  simulate(
    Effect.gen(function* () {
      const { looks } = yield* startPoll(["idle", "idle", "idle", "idle", "busy"]);
      yield* TestClock.adjust(500);
      assert.equal(looks, [0, 20, 60, 140, 300, 300, 320, 360, 440]);
    }),
  ));

test("a signal wakes the loop in the middle of a wait", () =>
  simulate(
    Effect.gen(function* () {
      const { signal, looks } = yield* startPoll([]);
      yield* TestClock.adjust(200);
      assert.equal(looks, [0, 20, 60, 140]);
      yield* signal.raise;
      yield* until("a look", () => looks.length === 5);
      assert.equal(looks.slice(4), [200]);
    }),
  ));

test("a signal that is raised while a look goes on is not lost", () =>
  simulate(
    Effect.gen(function* () {
      const signal = makeSignal();
      const looks: number[] = [];
      const look = Effect.gen(function* () {
        looks.push(yield* Clock.currentTimeMillis);
        // What raises it comes behind what this look could see.
        if (looks.length === 1) yield* signal.raise;
        return "none" as const;
      });
      yield* Effect.forkDetach(poll(look, signal, () => Effect.void));
      yield* until("two looks", () => looks.length === 2);
      assert.equal(looks, [0, 0]);
      yield* settled;
      assert.is(looks.length, 2, "one raise is one look more");
    }),
  ));

test("a dependency that is away is told, and looked for again every 500 ms until it is back", () =>
  simulate(
    Effect.gen(function* () {
      const { looks, failures, signal } = yield* startPoll(["away", "away", "away", "busy"]);
      yield* TestClock.adjust(499);
      yield* signal.raise;
      yield* settled;
      assert.equal(looks, [0], "a signal must not make it hammer what is away");
      yield* TestClock.adjust(1_001);
      // The work, one look behind it, and one more for the raise, which was remembered.
      assert.equal(looks, [0, 500, 1_000, 1_500, 1_500, 1_500]);
      assert.equal(failures, ["away", "away", "away"]);
    }),
  ));

test("the other fibers take their turn while the loop is busy", () =>
  simulate(
    Effect.gen(function* () {
      const { looks } = yield* startPoll(Array.from({ length: 5_000 }, () => "busy" as const));
      yield* until("some looks", () => looks.length > 0);
      assert.ok(looks.length < 5_000, `${looks.length} looks in one turn`);
    }),
  ));

test("a loop that is interrupted finishes its look and begins no other", () =>
  simulate(
    Effect.gen(function* () {
      const begun = yield* Deferred.make<void>();
      const goOn = yield* Deferred.make<void>();
      const done: string[] = [];
      const look = Effect.gen(function* () {
        done.push("begun");
        yield* Deferred.succeed(begun, undefined);
        yield* Deferred.await(goOn);
        done.push("finished");
        return "more" as const;
      });
      const loop = yield* Effect.forkDetach(poll(look, makeSignal(), () => Effect.void));
      yield* Deferred.await(begun);
      const stopping = yield* Effect.forkChild(Fiber.interrupt(loop));
      yield* settled;
      assert.is(stopping.pollUnsafe(), undefined, "the loop ended in the middle of its look");
      yield* Deferred.succeed(goOn, undefined);
      yield* Fiber.join(stopping);
      assert.equal(done, ["begun", "finished"]);
    }),
  ));

test("a loop that waits is interrupted at once", () =>
  simulate(
    Effect.gen(function* () {
      for (const found of ["idle", "away"] as const) {
        const { fiber, looks } = yield* startPoll([found]);
        yield* until("a look", () => looks.length === 1);
        yield* Fiber.interrupt(fiber);
        yield* TestClock.adjust("1 minute");
        assert.is(looks.length, 1);
      }
    }),
  ));

test.run();
