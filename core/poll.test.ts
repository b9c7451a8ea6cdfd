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

/** The result of one poll: more than it can take, some, nothing, or a failure. */
type Scripted = "busy" | "some" | "idle" | "unavailable";

/** Polls in the background. The polls find what `script` says, and nothing after its end. */
const startPoll = Effect.fnUntraced(function* (script: ReadonlyArray<Scripted>, wakes?: Wakes) {
  const signal = makeSignal();
  const polls: number[] = [];
  const failures: string[] = [];
  const pollOnce = Effect.gen(function* () {
    const found = script[polls.length] ?? "idle";
    polls.push(yield* Clock.currentTimeMillis);
    if (found === "unavailable") return yield* Effect.fail("unavailable");
    return ({ busy: "more", some: "some", idle: "none" } as const)[found];
  });
  const onAway = (error: string) => Effect.sync(() => void failures.push(error));
  const fiber = yield* Effect.forkDetach(poll(pollOnce, signal, onAway, wakes));
  return { signal, polls, failures, fiber };
});

/** When a loop that never finds anything polls, in milliseconds from its start. */
const idlePolls = (untilMs: number): number[] => {
  const polls: number[] = [];
  let wait = POLL_MIN_MS;
  for (let at = 0; at <= untilMs; wait = Math.min(wait * 2, POLL_MAX_MS)) {
    polls.push(at);
    at += wait;
  }
  return polls;
};

test("an idle loop waits 20 ms, then twice as long each time, up to 250 ms", () =>
  simulate(
    Effect.gen(function* () {
      const { polls } = yield* startPoll([]);
      yield* TestClock.adjust(1_100);
      assert.equal(polls, [0, 20, 60, 140, 300, 550, 800, 1_050]);
      assert.equal(polls, idlePolls(1_100));
    }),
  ));

test("while there is some work the loop polls at its pace, so that more accumulates, with or without a signal", () =>
  simulate(
    Effect.gen(function* () {
      const { polls, signal } = yield* startPoll(["some", "some", "some"]);
      yield* TestClock.adjust(POLL_PACE_MS / 2);
      yield* signal.raise;
      yield* TestClock.adjust(3 * POLL_PACE_MS);
      assert.equal(
        polls.slice(0, 4),
        [0, 1, 2, 3].map((n) => n * POLL_PACE_MS),
      );
    }),
  ));

test("a loop that is always woken polls when its signal is raised, or somewhat later than the pace", () =>
  simulate(
    Effect.gen(function* () {
      const { polls, signal } = yield* startPoll(["some", "some", "some", "some"], "always");
      yield* TestClock.adjust(10);
      yield* signal.raise;
      yield* until("a poll", () => polls.length === 2);
      yield* TestClock.adjust(2 * POLL_FOLLOW_MS);
      assert.equal(polls.slice(0, 4), [0, 10, 10 + POLL_FOLLOW_MS, 10 + 2 * POLL_FOLLOW_MS]);
    }),
  ));

test("the pace counts from the start of a poll, however long it took", () =>
  simulate(
    Effect.gen(function* () {
      const polls: number[] = [];
      const pollOnce = Effect.gen(function* () {
        polls.push(yield* Clock.currentTimeMillis);
        yield* Effect.sleep(polls.length === 1 ? POLL_PACE_MS - 10 : 5 * POLL_PACE_MS);
        return "some" as const;
      });
      yield* Effect.forkDetach(poll(pollOnce, makeSignal(), () => Effect.void));
      yield* TestClock.adjust(6 * POLL_PACE_MS);
      assert.equal(polls, [0, POLL_PACE_MS, 6 * POLL_PACE_MS]);
    }),
  ));

test("while there is more work than a poll takes, the loop polls again immediately", () =>
  simulate(
    Effect.gen(function* () {
      const { polls } = yield* startPoll(["busy", "busy", "busy"]);
      yield* until("four polls", () => polls.length === 4);
      assert.equal(polls, [0, 0, 0, 0]);
      yield* TestClock.adjust(19);
      assert.is(polls.length, 4);
      yield* TestClock.adjust(1);
      assert.equal(polls.slice(4), [20]);
    }),
  ));

test("work resets the backoff", () =>
  simulate(
    Effect.gen(function* () {
      const { polls } = yield* startPoll(["idle", "idle", "idle", "idle", "busy"]);
      yield* TestClock.adjust(500);
      assert.equal(polls, [0, 20, 60, 140, 300, 300, 320, 360, 440]);
    }),
  ));

test("a signal wakes the loop in the middle of a wait", () =>
  simulate(
    Effect.gen(function* () {
      const { signal, polls } = yield* startPoll([]);
      yield* TestClock.adjust(200);
      assert.equal(polls, [0, 20, 60, 140]);
      yield* signal.raise;
      yield* until("a poll", () => polls.length === 5);
      assert.equal(polls.slice(4), [200]);
    }),
  ));

test("a signal that is raised during a poll is not lost", () =>
  simulate(
    Effect.gen(function* () {
      const signal = makeSignal();
      const polls: number[] = [];
      const pollOnce = Effect.gen(function* () {
        polls.push(yield* Clock.currentTimeMillis);
        // This poll could not see what raised it.
        if (polls.length === 1) yield* signal.raise;
        return "none" as const;
      });
      yield* Effect.forkDetach(poll(pollOnce, signal, () => Effect.void));
      yield* until("two polls", () => polls.length === 2);
      assert.equal(polls, [0, 0]);
      yield* settled;
      assert.is(polls.length, 2, "one raise is one more poll");
    }),
  ));

test("a failure is reported, and the loop polls again every 500 ms until it succeeds", () =>
  simulate(
    Effect.gen(function* () {
      const { polls, failures, signal } = yield* startPoll([
        "unavailable",
        "unavailable",
        "unavailable",
        "busy",
      ]);
      yield* TestClock.adjust(499);
      yield* signal.raise;
      yield* settled;
      assert.equal(polls, [0], "a signal must not make it hammer what is unavailable");
      yield* TestClock.adjust(1_001);
      // The work, one poll after it, and one more for the raise, which was remembered.
      assert.equal(polls, [0, 500, 1_000, 1_500, 1_500, 1_500]);
      assert.equal(failures, ["unavailable", "unavailable", "unavailable"]);
    }),
  ));

test("other fibers get turns while the loop is busy", () =>
  simulate(
    Effect.gen(function* () {
      const { polls } = yield* startPoll(Array.from({ length: 5_000 }, () => "busy" as const));
      yield* until("some polls", () => polls.length > 0);
      assert.ok(polls.length < 5_000, `${polls.length} polls in one turn`);
    }),
  ));

test("an interrupted loop finishes its poll and starts no other", () =>
  simulate(
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>();
      const goOn = yield* Deferred.make<void>();
      const done: string[] = [];
      const pollOnce = Effect.gen(function* () {
        done.push("started");
        yield* Deferred.succeed(started, undefined);
        yield* Deferred.await(goOn);
        done.push("finished");
        return "more" as const;
      });
      const loop = yield* Effect.forkDetach(poll(pollOnce, makeSignal(), () => Effect.void));
      yield* Deferred.await(started);
      const stopping = yield* Effect.forkChild(Fiber.interrupt(loop));
      yield* settled;
      assert.is(stopping.pollUnsafe(), undefined, "the loop ended in the middle of its poll");
      yield* Deferred.succeed(goOn, undefined);
      yield* Fiber.join(stopping);
      assert.equal(done, ["started", "finished"]);
    }),
  ));

test("a waiting loop is interrupted immediately", () =>
  simulate(
    Effect.gen(function* () {
      for (const found of ["idle", "unavailable"] as const) {
        const { fiber, polls } = yield* startPoll([found]);
        yield* until("a poll", () => polls.length === 1);
        yield* Fiber.interrupt(fiber);
        yield* TestClock.adjust("1 minute");
        assert.is(polls.length, 1);
      }
    }),
  ));

test.run();
