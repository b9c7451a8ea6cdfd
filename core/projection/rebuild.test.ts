import { Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { settled, simulate } from "../simulate.fixture.ts";
import {
  type Building,
  type Difference,
  FlipDelayed,
  Generations,
  GenerationsBusy,
} from "./generations.ts";
import { ProjectionRefused } from "./projection.ts";
import { STEP_EVENTS_MAX } from "./projector.ts";
import { READ_MODEL_VERSIONS } from "./read_models.ts";
import {
  BuildOutdated,
  BULK_DONE_EVENTS,
  EventPoisoned,
  FLIP_EVENTS_MAX,
  FOLD_EVENTS_MAX,
  ReadModelsDiffer,
  rebuild,
  type RebuildProgress,
} from "./rebuild.ts";

const test = suite("rebuild");

/** A generation that consists only of positions, and fails on demand. */
const makeFake = (heads: ReadonlyArray<number>) => {
  const fake = {
    heads: [...heads],
    checkpoints: heads.map(() => 0),
    versions: READ_MODEL_VERSIONS,
    /** What was done, in order. */
    done: [] as string[],
    /** How many events arrive with each poll of the heads. */
    incoming: [] as number[],
    windows: 0,
    differences: [] as Difference[],
    /** How often a flip is delayed. */
    delays: 0,
    live: false,
    locked: false,
    poison: (_shard: number, _position: number) => false,
    /** Runs before each call. */
    before: (_what: string): Effect.Effect<void> => Effect.void,
  };
  const doing = <A, E>(what: string, result: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.andThen(
      fake.before(what),
      Effect.tap(result, () => Effect.sync(() => void fake.done.push(what))),
    );
  const fold = (shard: number, limit: number) =>
    Effect.suspend(() => {
      const lo = fake.checkpoints[shard] ?? 0;
      const hi = Math.min(fake.heads[shard] ?? 0, lo + limit);
      for (let position = lo + 1; position <= hi; position++) {
        if (fake.poison(shard, position)) {
          return Effect.fail(new ProjectionRefused({ shard, cause: new Error(`at ${position}`) }));
        }
      }
      fake.checkpoints[shard] = hi;
      return Effect.succeed(hi - lo);
    });
  const building = (): Building => ({
    generation: {
      number: 2,
      state: "building",
      versions: fake.versions,
      startedAt: 0,
      flippedAt: null,
    },
    compared: ["activity_by_type"],
    lag: Effect.sync(() => {
      const [first = 0, ...others] = fake.heads;
      fake.heads.splice(0, fake.heads.length, first + (fake.incoming.shift() ?? 0), ...others);
      return fake.heads.map((head, shard) => {
        return { shard, head, checkpoint: fake.checkpoints[shard] ?? 0, seconds: 0 };
      });
    }),
    fold: (shard, limit) => doing(`fold ${shard} ${limit}`, fold(shard, limit)),
    prepare: doing(
      "prepare",
      Effect.sync(() => fake.windows-- > 0),
    ),
    compare: (shard) =>
      doing(
        "compare",
        Effect.sync(() => fake.differences.filter((one) => one.shard === shard)),
      ),
    flip: doing(
      "flip",
      Effect.suspend(() => {
        if (fake.delays-- > 0) return Effect.fail(new FlipDelayed({ cause: "a long read" }));
        fake.live = true;
        return Effect.void;
      }),
    ),
  });
  const service: Generations["Service"] = {
    list: Effect.die("not needed"),
    lag: () => Effect.die("not needed"),
    drop: () => Effect.die("not needed"),
    build: Effect.acquireRelease(
      Effect.suspend(() => {
        if (fake.locked) return Effect.fail(new GenerationsBusy({ holder: "another process" }));
        fake.locked = true;
        return Effect.succeed(building());
      }),
      () => Effect.sync(() => void (fake.locked = false)),
    ),
  };
  const told: RebuildProgress[] = [];
  const run = (acceptDifferences = false) =>
    rebuild({ acceptDifferences, shardsAtOnce: 1, report: (one) => void told.push(one) }).pipe(
      Effect.provideService(Generations, service),
    );
  return { fake, run, told };
};

test("it folds in bulk, prepares, catches up in steps, compares and flips, in this order", () =>
  simulate(
    Effect.gen(function* () {
      const { fake, run, told } = makeFake([FOLD_EVENTS_MAX + 7, 5]);
      // For example, while the windows are counted.
      fake.incoming.push(0, 0, 0, STEP_EVENTS_MAX + 1);
      fake.windows = 2;
      const compared = ["activity_by_type"];
      assert.equal(yield* run(), { generation: 2, compared, differences: [] });
      assert.equal(fake.done, [
        `fold 0 ${FOLD_EVENTS_MAX}`,
        "fold 0 7",
        "fold 1 5",
        "prepare",
        "prepare",
        "prepare",
        `fold 0 ${STEP_EVENTS_MAX}`,
        "fold 0 1",
        "compare",
        "compare",
        "flip",
      ]);
      const last = told.findLast((one) => one._tag === "Folding");
      const all = FOLD_EVENTS_MAX + 12 + STEP_EVENTS_MAX + 1;
      assert.equal(last, { _tag: "Folding", folded: all, events: all });
      assert.not.ok(fake.locked);
    }),
  ));

test("it folds in bulk again if much has arrived in the meantime, and flips when little is left", () =>
  simulate(
    Effect.gen(function* () {
      const much = BULK_DONE_EVENTS + 1;
      const { fake, run } = makeFake([much]);
      fake.incoming.push(0, 0, much, 0, FLIP_EVENTS_MAX + 1, FLIP_EVENTS_MAX, 9);
      yield* run();
      const folds = fake.done.filter((one) => one.startsWith("fold"));
      assert.equal(folds, [
        `fold 0 ${much}`,
        `fold 0 ${much}`,
        `fold 0 ${FLIP_EVENTS_MAX + 1}`,
        `fold 0 ${FLIP_EVENTS_MAX}`,
      ]);
    }),
  ));

test("it flips even if events arrive as fast as it folds them", () =>
  simulate(
    Effect.gen(function* () {
      const { fake, run } = makeFake([3]);
      fake.incoming.push(...Array.from({ length: 1_000 }, () => FLIP_EVENTS_MAX + 1));
      yield* run();
      assert.ok(fake.live);
      assert.ok(fake.done.length < 100, `${fake.done.length}`);
    }),
  ));

test("an event that cannot be folded stops it, and is reported", () =>
  simulate(
    Effect.gen(function* () {
      const { fake, run } = makeFake([10, 3_000]);
      fake.poison = (shard, position) => shard === 1 && position === 1_234;
      const error = yield* Effect.flip(run());
      if (!(error instanceof EventPoisoned)) throw error;
      assert.equal([error.shard, error.position], [1, 1_234]);
      assert.is(String(error.cause), "Error: at 1234");
      assert.equal(fake.checkpoints, [10, 1_233]);
      assert.ok(fake.done.length < 40, "it does not halve from the beginning each time");
      assert.equal([fake.live, fake.locked], [false, false]);
    }),
  ));

test("if the live rows differ it does not flip, unless differences are accepted", () =>
  simulate(
    Effect.gen(function* () {
      const { fake, run } = makeFake([10, 10]);
      fake.differences = [{ shard: 1, readModel: "activity_by_type", excess: 3 }];
      const error = yield* Effect.flip(run());
      if (!(error instanceof ReadModelsDiffer)) throw error;
      assert.equal(error.differences, fake.differences);
      assert.not.ok(fake.live);
      assert.equal((yield* run(true)).differences, fake.differences);
      assert.ok(fake.live);
    }),
  ));

test("it does not resume a build that was started with other read models", () =>
  simulate(
    Effect.gen(function* () {
      for (const versions of [
        { ...READ_MODEL_VERSIONS, another: 1 },
        Object.fromEntries(Object.keys(READ_MODEL_VERSIONS).map((name) => [name, 99])),
        {},
      ]) {
        const { fake, run } = makeFake([10]);
        fake.versions = versions;
        assert.instance(yield* Effect.flip(run()), BuildOutdated);
        assert.equal(fake.done, []);
      }
    }),
  ));

test("a delayed flip is retried with backoff, close to the heads", () =>
  simulate(
    Effect.gen(function* () {
      const { fake, run, told } = makeFake([10]);
      fake.delays = 3;
      const running = yield* Effect.forkDetach(run());
      yield* settled;
      fake.heads[0] = 15;
      yield* TestClock.adjust("1 minute");
      yield* Fiber.join(running);
      const delays = told.flatMap((one) => (one._tag === "FlipDelayed" ? one.delayMs : []));
      assert.equal(delays, [500, 1_000, 2_000]);
      assert.equal(fake.checkpoints, [15]);
      assert.ok(fake.live);
    }),
  ));

test("after an interrupt at any stage it releases its lock, and the next run resumes there", () =>
  simulate(
    Effect.gen(function* () {
      for (const stage of ["fold 0", "fold 1", "prepare", "compare", "flip"]) {
        const { fake, run, told } = makeFake([20, 20]);
        fake.windows = 1;
        fake.before = (what) => (what.startsWith(stage) ? Effect.never : Effect.void);
        const running = yield* Effect.forkDetach(run());
        yield* settled;
        assert.ok(fake.locked, stage);
        yield* Fiber.interrupt(running);
        assert.not.ok(fake.locked, stage);
        const before = [...fake.done];
        fake.before = () => Effect.void;
        yield* run();
        assert.ok(fake.live, stage);
        const folds = fake.done.filter((one) => one.startsWith("fold"));
        assert.equal(folds, ["fold 0 20", "fold 1 20"], "something was folded twice");
        const started = told.findLast((one) => one._tag === "Started");
        assert.is(started?._tag === "Started" && started.resumed, before.length > 0, stage);
      }
    }),
  ));

test("while another process rebuilds it does nothing", () =>
  simulate(
    Effect.gen(function* () {
      const { fake, run } = makeFake([20]);
      fake.locked = true;
      assert.is((yield* Effect.flip(run()))._tag, "GenerationsBusy");
      assert.equal(fake.done, []);
    }),
  ));

test.run();
