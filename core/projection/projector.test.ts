import { Deferred, Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { POLL_MAX_MS, POLL_MIN_MS, POLL_PACE_MS } from "../poll.ts";
import { makeSignals, Signals } from "../signal.ts";
import { settled, simulate, until } from "../simulate.fixture.ts";
import { type Invalidation, Invalidations } from "./invalidations.ts";
import {
  accountAt,
  type FakeProjection,
  makeFakeProjection,
  stepTo,
} from "./projection.fixture.ts";
import { Projection } from "./projection.ts";
import { advance, catchUp, runProjector, STEP_EVENTS_MAX } from "./projector.ts";

const test = suite("projector");

const upTo = (head: number): number[] => Array.from({ length: head }, (_, i) => i + 1);
const skippedIn = (fake: FakeProjection, shard = 0): number[] =>
  (fake.skipped[shard] ?? []).map(({ position }) => position);
const on = <A, E>(fake: FakeProjection, effect: Effect.Effect<A, E, Projection>) =>
  Effect.provideService(effect, Projection, fake.service);

/** Runs a projector in the background. */
const startProjector = Effect.fnUntraced(function* (fake: FakeProjection) {
  const signals = makeSignals();
  const published: Invalidation[] = [];
  const loop = runProjector.pipe(
    Effect.provideService(Signals, signals),
    Effect.provideService(Invalidations, {
      publish: (invalidation) => Effect.sync(() => void published.push(invalidation)),
      subscribe: () => Effect.die("not needed"),
    }),
  );
  const fiber = yield* Effect.forkDetach(on(fake, loop));
  yield* settled;
  return { fiber, appended: signals.appended, published };
});

test("advance folds what is there, up to its limit", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([5]);
      assert.equal(yield* on(fake, advance(0, 3)), stepTo(3, 3));
      assert.equal(yield* on(fake, advance(0, 3)), stepTo(5, 2));
      assert.is((yield* on(fake, advance(0, 3))).projected, 0);
      assert.equal(fake.folded, [upTo(5)]);
    }),
  ));

test("folded ranges are published, by shard and in the order of positions", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([2, 0]);
      const { fiber, appended, published } = yield* startProjector(fake);
      assert.equal(published, [{ shard: 0, accounts: upTo(2).map(accountAt), lo: 0, hi: 2 }]);
      fake.heads[0] = 3;
      fake.heads[1] = 1;
      fake.poison = (shard) => shard === 1;
      yield* appended.raise;
      yield* TestClock.adjust(POLL_PACE_MS);
      assert.equal(
        published.slice(1).toSorted((a, b) => a.shard - b.shard),
        [
          { shard: 0, accounts: [accountAt(3)], lo: 2, hi: 3 },
          { shard: 1, accounts: [accountAt(1)], lo: 0, hi: 1 },
        ],
      );
      yield* Fiber.interrupt(fiber);
    }),
  ));

test("advance halves a refused range, and folds what comes before the poison event", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([100]);
      fake.poison = (_, position) => position === 30;
      assert.equal(yield* on(fake, advance(0, 100)), stepTo(25, 25));
      assert.equal(fake.folded, [upTo(25)]);
      assert.equal(fake.skipped, [[]]);
    }),
  ));

test("advance skips a single poison event, and logs which and why", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([3]);
      fake.poison = (_, position) => position === 1;
      assert.equal(yield* on(fake, advance(0, 1)), stepTo(1, 1));
      assert.equal(fake.skipped, [[{ position: 1, reason: "Error: position 1" }]]);
      assert.equal(fake.folded, [[]]);
      assert.equal(logged, ["Error: Skipped a poison event"]);
    }),
    logged,
  );
});

test("two projectors that meet the same poison event skip it once, and no event after it", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([3]);
      fake.poison = (_, position) => position === 1;
      // Both step before either of them skips.
      fake.onStep = () => settled;
      yield* Effect.all([on(fake, advance(0, 1)), on(fake, advance(0, 1))], {
        concurrency: "unbounded",
      });
      assert.equal(skippedIn(fake), [1]);
    }),
  ));

test("one poison event costs a few dozen steps, wherever it is, and nothing else is skipped", () =>
  simulate(
    Effect.gen(function* () {
      const head = STEP_EVENTS_MAX;
      for (const poison of [1, 2, 3, head / 2, head / 2 + 1, 7_777, head - 1, head]) {
        const fake = makeFakeProjection([head]);
        fake.poison = (_, position) => position === poison;
        yield* on(fake, catchUp);
        assert.equal(skippedIn(fake), [poison]);
        assert.equal(
          fake.folded[0],
          upTo(head).filter((position) => position !== poison),
        );
        assert.ok(fake.steps < 150, `${fake.steps} steps`);
      }
    }),
  ));

test("many poison events in a backlog cost a few times what lies between them, not the backlog for each", () =>
  simulate(
    Effect.gen(function* () {
      const head = 20_000;
      const fake = makeFakeProjection([head]);
      fake.poison = (_, position) => position <= 5_000 && position % 100 === 0;
      let tried = 0;
      const { step } = fake.service;
      const service: Projection["Service"] = {
        ...fake.service,
        step: (shard, limit) => {
          tried += Math.min(limit, head - (fake.checkpoints[shard] ?? 0));
          return step(shard, limit);
        },
      };
      yield* Effect.provideService(catchUp, Projection, service);
      assert.is(skippedIn(fake).length, 50);
      assert.is(fake.folded[0]?.length, head - 50);
      assert.ok(tried < 5 * head, `${tried} events were folded for ${head}`);
    }),
  ));

test("catchUp folds every event of every shard once, in order, and skips only poison events", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          head: fc.nat({ max: 40 }),
          poison: fc.uniqueArray(fc.integer({ min: 1, max: 40 })),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      (shards) =>
        simulate(
          Effect.gen(function* () {
            const fake = makeFakeProjection(shards.map(({ head }) => head));
            fake.poison = (shard, at) => shards[shard]?.poison.includes(at) === true;
            yield* on(fake, catchUp);
            for (const [shard, { head, poison }] of shards.entries()) {
              assert.equal(
                fake.folded[shard],
                upTo(head).filter((at) => !poison.includes(at)),
              );
              assert.equal(
                skippedIn(fake, shard),
                upTo(head).filter((at) => poison.includes(at)),
              );
              assert.is(fake.checkpoints[shard], head);
            }
          }),
        ),
    ),
    { numRuns: 60 },
  ));

test("catchUp takes steps of limited size", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([STEP_EVENTS_MAX * 2 + 1, 1]);
      yield* on(fake, catchUp);
      assert.is(fake.steps, 4);
      assert.equal(fake.checkpoints, [STEP_EVENTS_MAX * 2 + 1, 1]);
    }),
  ));

test("catchUp fails if the database is unavailable", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([1]);
      fake.unavailable = true;
      const error = yield* Effect.flip(on(fake, catchUp));
      assert.is(error._tag, "ProjectionUnavailable");
    }),
  ));

test("a projector folds what the log contains when it starts, and then what is appended, within 250 ms", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([3, 0, 2]);
      yield* startProjector(fake);
      yield* TestClock.adjust("10 seconds");
      assert.equal(fake.folded, [upTo(3), [], upTo(2)]);
      fake.heads[1] = 4;
      yield* TestClock.adjust(POLL_MAX_MS);
      assert.equal(fake.folded, [upTo(3), upTo(4), upTo(2)]);
    }),
  ));

test("an append in the same process wakes a projector", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([0]);
      const { appended } = yield* startProjector(fake);
      yield* TestClock.adjust("10 seconds");
      fake.heads[0] = 4;
      yield* appended.raise;
      yield* until("it is folded", () => fake.checkpoints[0] === 4);
    }),
  ));

test("a projector that lags does not pause between its steps", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([STEP_EVENTS_MAX * 3 + 1]);
      yield* startProjector(fake);
      yield* until("it is caught up", () => fake.checkpoints[0] === STEP_EVENTS_MAX * 3 + 1);
    }),
  ));

test("a projector does all upkeep that is due, and its steps do not wait for it", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([STEP_EVENTS_MAX * 3]);
      fake.upkeepDue = 10;
      const piece = yield* Deferred.make<void>();
      fake.onUpkeep = () => Deferred.await(piece);
      const { fiber } = yield* startProjector(fake);
      yield* until("it is caught up", () => fake.checkpoints[0] === STEP_EVENTS_MAX * 3);
      assert.is(fake.upkeepDue, 10);
      yield* Deferred.succeed(piece, undefined);
      yield* until("all of it is done", () => fake.upkeepDue === 0);
      yield* Fiber.interrupt(fiber);
    }),
  ));

test("stopping a projector interrupts its upkeep", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([0]);
      fake.upkeepDue = 1;
      fake.onUpkeep = () => Effect.never;
      const { fiber } = yield* startProjector(fake);
      yield* Fiber.interrupt(fiber);
      assert.is(fake.upkeepDue, 1);
    }),
  ));

test("a projector continues after a poison event, and other shards do not wait for it", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([50, 50]);
      fake.poison = (shard, position) => shard === 0 && position === 20;
      yield* startProjector(fake);
      yield* until("both are caught up", () => fake.checkpoints.every((at) => at === 50));
      assert.equal(
        fake.folded[0],
        upTo(50).filter((position) => position !== 20),
      );
      assert.equal(skippedIn(fake), [20]);
      assert.equal(fake.folded[1], upTo(50));
    }),
  ));

test("a projector whose shard is leased by another one polls slowly", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([5]);
      fake.leased = () => true;
      yield* startProjector(fake);
      yield* TestClock.adjust("10 seconds");
      assert.ok(fake.polls < 10_000 / POLL_MIN_MS / 5, `${fake.polls} polls in 10 s`);
      const { polls } = fake;
      yield* settled;
      assert.is(fake.polls, polls, "it polls again without waiting");
      fake.leased = () => false;
      yield* TestClock.adjust(POLL_MAX_MS);
      assert.equal(fake.folded, [upTo(5)]);
    }),
  ));

test("a projector pauses while the database is unavailable, logs it once, and loses nothing", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([5]);
      fake.unavailable = true;
      yield* startProjector(fake);
      yield* TestClock.adjust("1 minute");
      assert.is(fake.checkpoints[0], 0);
      assert.equal(logged, [
        "Warn: Projector paused: the database is unavailable or refuses its statements",
      ]);
      assert.ok(fake.polls <= 121, `${fake.polls} polls in a minute`);
      fake.unavailable = false;
      yield* TestClock.adjust("1 second");
      assert.equal(fake.folded, [upTo(5)]);
      yield* TestClock.adjust("20 seconds");
      assert.equal(logged.slice(1), ["Info: Projector resumed"]);
    }),
    logged,
  );
});

test("a projector that is never idle resumes as well", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([5]);
      fake.unavailable = true;
      fake.onStep = () => Effect.sync(() => fake.heads.splice(0, 1, (fake.heads[0] ?? 0) + 1));
      yield* startProjector(fake);
      yield* TestClock.adjust("1 minute");
      fake.unavailable = false;
      yield* TestClock.adjust("20 seconds");
      assert.equal(logged, [
        "Warn: Projector paused: the database is unavailable or refuses its statements",
        "Info: Projector resumed",
      ]);
    }),
    logged,
  );
});

test("stopping a projector finishes its step and starts no other", () =>
  simulate(
    Effect.gen(function* () {
      const fake = makeFakeProjection([STEP_EVENTS_MAX + 1]);
      const started = yield* Deferred.make<void>();
      const goOn = yield* Deferred.make<void>();
      fake.onStep = () =>
        Effect.andThen(Deferred.succeed(started, undefined), Deferred.await(goOn));
      const { fiber } = yield* startProjector(fake);
      yield* Deferred.await(started);
      const stopping = yield* Effect.forkChild(Fiber.interrupt(fiber));
      yield* settled;
      assert.is(stopping.pollUnsafe(), undefined, "it stopped in the middle of a step");
      yield* Deferred.succeed(goOn, undefined);
      yield* Fiber.join(stopping);
      assert.equal(fake.checkpoints, [STEP_EVENTS_MAX]);
    }),
  ));

test.run();
