import { Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeFakeProjection } from "../projection/projection.fixture.ts";
import { Projection, ProjectionUnavailable } from "../projection/projection.ts";
import { settled, simulate } from "../simulate.fixture.ts";
import { makeHorizon } from "./horizon.ts";
import {
  ANNOUNCEMENT_PATIENCE_MS,
  UNANNOUNCED_KNOWN_MS,
  WATCH_REST_MS,
  watchCheckpoints,
} from "./watch_checkpoints.ts";

const test = suite("watchCheckpoints");

const PERIOD_MS = ANNOUNCEMENT_PATIENCE_MS + WATCH_REST_MS;

/** A watch over one shard, whose checkpoint a test moves. */
const startWatch = Effect.gen(function* () {
  const horizon = makeHorizon();
  const database = { position: 0, generation: 1, away: false };
  const projection: Projection["Service"] = {
    ...makeFakeProjection([]).service,
    checkpoints: Effect.suspend(() =>
      database.away
        ? Effect.fail(new ProjectionUnavailable({ cause: "away" }))
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

test("a commit that nobody announces is known in time, even one that has just missed a look", () =>
  simulate(
    Effect.gen(function* () {
      const { horizon, database, pass, end } = yield* startWatch;
      // It has looked, and waits for announcements.
      database.position = 3;
      yield* pass(UNANNOUNCED_KNOWN_MS - 1);
      assert.is(horizon.floor(0, "a"), 0);
      yield* pass(1);
      assert.is(horizon.floor(0, "a"), 3);
      assert.ok(UNANNOUNCED_KNOWN_MS < 500, "half of the second that a new event has");
      yield* end;
    }),
  ));

test("an announcement that comes soon after its commit was seen costs the others nothing", () =>
  simulate(
    Effect.gen(function* () {
      const { horizon, database, pass, end } = yield* startWatch;
      yield* pass(ANNOUNCEMENT_PATIENCE_MS);
      database.position = 3;
      yield* pass(WATCH_REST_MS + ANNOUNCEMENT_PATIENCE_MS - 1);
      horizon.announce({ shard: 0, accounts: ["a"], lo: 0, hi: 3 });
      yield* pass(PERIOD_MS);
      assert.equal([horizon.floor(0, "a"), horizon.floor(0, "b")], [3, 0]);
      yield* end;
    }),
  ));

test("a generation that took another's place is known in time, and no earlier than it is seen", () =>
  simulate(
    Effect.gen(function* () {
      const { horizon, database, pass, end } = yield* startWatch;
      assert.is(horizon.generation(), 1);
      // It has looked already.
      database.generation = 2;
      yield* pass(PERIOD_MS - 1);
      assert.is(horizon.generation(), 1);
      yield* pass(1);
      assert.is(horizon.generation(), 2);
      assert.ok(PERIOD_MS <= UNANNOUNCED_KNOWN_MS);
      yield* end;
    }),
  ));

test("while the database is away the watch goes on, and it knows what happened once it is back", () =>
  simulate(
    Effect.gen(function* () {
      const { horizon, database, pass, end } = yield* startWatch;
      yield* pass(ANNOUNCEMENT_PATIENCE_MS);
      database.away = true;
      yield* pass(10 * PERIOD_MS);
      assert.is(horizon.floor(0, "a"), 0);
      Object.assign(database, { away: false, position: 9 });
      yield* pass(PERIOD_MS);
      assert.is(horizon.floor(0, "a"), 9);
      yield* end;
    }),
  ));

test("checkpoints that cannot be read are reported when that begins and when it ends", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { database, pass, end } = yield* startWatch;
      database.away = true;
      for (let i = 0; i < 10; i++) yield* pass(PERIOD_MS);
      assert.is(logged.length, 1, logged.join());
      assert.match(logged[0] ?? "", /^Warn: The checkpoints cannot be read/);
      database.away = false;
      for (let i = 0; i < 10; i++) yield* pass(PERIOD_MS);
      assert.equal(logged.slice(1), ["Info: The checkpoints are read again"]);
      yield* end;
    }),
    logged,
  );
});

test.run();
