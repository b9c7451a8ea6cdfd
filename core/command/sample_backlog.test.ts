import { Clock, Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeFakeLog } from "../log/event_log.fixture.ts";
import { EventLog } from "../log/event_log.ts";
import { Projection } from "../projection/projection.ts";
import { makeFakeQueue } from "../queue/queue.fixture.ts";
import { type Backlog, Queue, QueueUnavailable } from "../queue/queue.ts";
import { settled, simulate } from "../simulate.fixture.ts";
import { type Capacity, makeCapacity } from "./capacity.ts";
import { sampleBacklogForever } from "./sample_backlog.ts";

const test = suite("the watch of the load");

const LIMITS = { queuedMax: 1_000, laggingMax: 5_000 };

const at = (shard: number, position: number) => ({ shard, position, generation: 1 });

interface Watched {
  readonly backlog: Effect.Effect<Backlog, QueueUnavailable>;
  readonly heads?: ReadonlyArray<ReturnType<typeof at>>;
  readonly checkpoints?: ReadonlyArray<ReturnType<typeof at>>;
  readonly onFailed?: () => void;
}

/** Samples a queue, a log and a projection with the given states, in the background. */
const startWatch = (
  capacity: Capacity,
  { backlog, heads = [], checkpoints = [], onFailed = () => {} }: Watched,
) => {
  const unused = () => Effect.die("not needed");
  return sampleBacklogForever(capacity, onFailed).pipe(
    Effect.provideService(Queue, { ...makeFakeQueue().service, backlog }),
    Effect.provideService(EventLog, { ...makeFakeLog().service, heads: Effect.succeed(heads) }),
    Effect.provideService(Projection, {
      step: unused,
      skip: unused,
      lagging: unused(),
      upkeep: unused(),
      checkpoints: Effect.succeed(checkpoints),
      lag: unused(),
    }),
    Effect.forkDetach,
  );
};

const waiting = (events: number): Backlog => ({ events, seconds: 0, deadLetters: 0 });

const pass = Effect.fnUntraced(function* (ms: number) {
  for (let passed = 0; passed < ms; passed += 50) {
    yield* settled;
    yield* TestClock.adjust(50);
  }
  yield* settled;
});

test("a slow sample is followed by a pause in proportion to its length, of at most a second", () =>
  simulate(
    Effect.gen(function* () {
      const reads: number[] = [];
      const backlog = Effect.gen(function* () {
        reads.push(yield* Clock.currentTimeMillis);
        yield* Effect.sleep(reads.length === 1 ? 100 : 1_500);
        return waiting(0);
      });
      const fiber = yield* startWatch(makeCapacity(LIMITS), { backlog });
      yield* pass(3_500);
      assert.equal(reads, [0, 500, 3_000]);
      yield* Fiber.interrupt(fiber);
    }),
  ));

test("the backlog is sampled several times a second", () =>
  simulate(
    Effect.gen(function* () {
      const capacity = makeCapacity(LIMITS);
      let backlog = waiting(999);
      const checkpoints = [at(0, 20), at(1, 12)];
      const fiber = yield* startWatch(capacity, {
        backlog: Effect.suspend(() => Effect.succeed(backlog)),
        heads: [at(0, 30), at(1, 12)],
        checkpoints,
      });
      yield* settled;
      assert.is(capacity.refusal(0, "normal"), undefined);
      backlog = waiting(1_000);
      yield* pass(250);
      assert.is(capacity.refusal(250, "normal")?._tag, "QueueFull");
      backlog = waiting(10);
      yield* pass(250);
      assert.is(capacity.refusal(500, "normal"), undefined);
      // The log contains 5,010 events, and 10 are folded.
      checkpoints.splice(0, 2, at(0, 0), at(1, -4_958));
      yield* pass(250);
      assert.is(capacity.refusal(750, "normal")?._tag, "QueueFull");
      yield* Fiber.interrupt(fiber);
    }),
  ));

for (const [how, failing] of [
  ["fails", Effect.fail(new QueueUnavailable({ cause: "unavailable" }))],
  ["does not end", Effect.never],
] as const) {
  test(`after a sample that ${how} the last one stays valid, and after five seconds nothing is accepted`, () => {
    const logged: string[] = [];
    return simulate(
      Effect.gen(function* () {
        const capacity = makeCapacity(LIMITS);
        let backlog: Effect.Effect<Backlog, QueueUnavailable> = Effect.succeed(waiting(1_000));
        let failures = 0;
        const fiber = yield* startWatch(capacity, {
          backlog: Effect.suspend(() => backlog),
          onFailed: () => void failures++,
        });
        const refused = Effect.map(
          Clock.currentTimeMillis,
          (now) => capacity.refusal(now, "normal")?._tag,
        );
        yield* settled;
        backlog = failing;
        for (let passed = 0; passed < 20_000; passed += 500) {
          yield* pass(500);
          assert.ok(yield* refused, `it is open after ${passed} ms`);
        }
        assert.is(yield* refused, "QueueUnavailable");
        assert.ok(failures > 2, `${failures} failures`);
        backlog = Effect.succeed(waiting(0));
        yield* pass(2_500);
        assert.is(yield* refused, undefined);
        assert.equal(logged, [
          "Warn: Cannot read the backlog; using the last known one",
          "Error: No events are accepted: the backlog has been unknown for 5 s",
          "Info: The backlog can be read again",
        ]);
        yield* Fiber.interrupt(fiber);
      }),
      logged,
    );
  });
}

test("a fault of the database, which is logged elsewhere, is logged here only when nothing is accepted because of it", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      let backlog: Effect.Effect<Backlog, QueueUnavailable> = Effect.succeed(waiting(0));
      const fiber = yield* startWatch(makeCapacity(LIMITS), {
        backlog: Effect.suspend(() => backlog),
      });
      yield* settled;
      const failing = Effect.fail(new QueueUnavailable({ cause: "denied", fault: "rights" }));
      for (const ms of [2_000, 8_000]) {
        backlog = failing;
        for (let passed = 0; passed < ms; passed += 500) yield* pass(500);
        backlog = Effect.succeed(waiting(0));
        yield* pass(2_500);
      }
      assert.equal(logged, [
        "Error: No events are accepted: the backlog has been unknown for 5 s",
        "Info: The backlog can be read again",
      ]);
      yield* Fiber.interrupt(fiber);
    }),
    logged,
  );
});

test.run();
