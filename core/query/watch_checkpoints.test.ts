import { Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeFakeProjection } from "../projection/projection.fixture.ts";
import { Projection, ProjectionUnavailable } from "../projection/projection.ts";
import { settled, simulate } from "../simulate.fixture.ts";
import { makeHorizon } from "./horizon.ts";
import {
  INVALIDATION_PATIENCE_MS,
  KNOWN_AFTER_MS,
  WATCH_REST_MS,
  watchCheckpoints,
} from "./watch_checkpoints.ts";

const test = suite("watchCheckpoints");

const PERIOD_MS = INVALIDATION_PATIENCE_MS + WATCH_REST_MS;

/** A watch of one shard, whose checkpoint the test moves. */
const startWatch = Effect.gen(function* () {
  const horizon = makeHorizon();
  const database = { position: 0, generation: 1, unavailable: false };
  const projection: Projection["Service"] = {
    ...makeFakeProjection([]).service,
    checkpoints: Effect.suspend(() =>
      database.unavailable
        ? Effect.fail(new ProjectionUnavailable({ cause: "unavailable" }))
        : Effect.succeed([
            { shard: 0, position: database.position, generation: database.generation },
          ]),
    ),
  };
  const watch = Effect.provideService(watchCheckpoints(horizon), Projection, projection);
  const fiber = yield* Effect.forkDetach(watch);
  yield* settled;
  const pass = (ms: number) => Effect.andThen(TestClock.adjust(ms), settled);
  return { horizon, database, pass, end: Fiber.interrupt(fiber) };
});

test("a commit without an invalidation is known in time, even if a poll just missed it", () =>
  simulate(
    Effect.gen(function* () {
      const { horizon, database, pass, end } = yield* startWatch;
      // It has polled, and waits for invalidations.
      database.position = 3;
      yield* pass(KNOWN_AFTER_MS - 1);
      assert.is(horizon.floor(0, "a"), 0);
      yield* pass(1);
      assert.is(horizon.floor(0, "a"), 3);
      assert.ok(KNOWN_AFTER_MS < 500, "half of the second that a new event has");
      yield* end;
    }),
  ));

test("an invalidation that arrives soon after its commit is seen costs other accounts nothing", () =>
  simulate(
    Effect.gen(function* () {
      const { horizon, database, pass, end } = yield* startWatch;
      yield* pass(INVALIDATION_PATIENCE_MS);
      database.position = 3;
      yield* pass(WATCH_REST_MS + INVALIDATION_PATIENCE_MS - 1);
      horizon.invalidate({ shard: 0, accounts: ["a"], lo: 0, hi: 3 });
      yield* pass(PERIOD_MS);
      assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b")], [3, 0]);
      yield* end;
    }),
  ));

test("a new live generation is known in time, and not before it is seen", () =>
  simulate(
    Effect.gen(function* () {
      const { horizon, database, pass, end } = yield* startWatch;
      assert.is(horizon.generation(), 1);
      // It has polled already.
      database.generation = 2;
      yield* pass(PERIOD_MS - 1);
      assert.is(horizon.generation(), 1);
      yield* pass(1);
      assert.is(horizon.generation(), 2);
      assert.ok(PERIOD_MS <= KNOWN_AFTER_MS);
      yield* end;
    }),
  ));

test("the watch continues while the database is unavailable, and catches up afterwards", () =>
  simulate(
    Effect.gen(function* () {
      const { horizon, database, pass, end } = yield* startWatch;
      yield* pass(INVALIDATION_PATIENCE_MS);
      database.unavailable = true;
      yield* pass(10 * PERIOD_MS);
      assert.is(horizon.floor(0, "a"), 0);
      Object.assign(database, { unavailable: false, position: 9 });
      yield* pass(PERIOD_MS);
      assert.is(horizon.floor(0, "a"), 9);
      yield* end;
    }),
  ));

test("failing reads of the checkpoints are reported when they start to fail and when they work again", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { database, pass, end } = yield* startWatch;
      database.unavailable = true;
      for (let i = 0; i < 10; i++) yield* pass(PERIOD_MS);
      assert.is(logged.length, 1, logged.join());
      assert.match(logged[0] ?? "", /^Warn: Cannot read the checkpoints/);
      database.unavailable = false;
      for (let i = 0; i < 10; i++) yield* pass(PERIOD_MS);
      assert.equal(logged.slice(1), ["Info: The checkpoints can be read again"]);
      yield* end;
    }),
    logged,
  );
});

test.run();
