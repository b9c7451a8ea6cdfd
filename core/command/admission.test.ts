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
import { Admission, type Load, makeAdmission, watchLoad } from "./admission.ts";

const test = suite("admission");

const LIMITS = { queuedMax: 1_000, laggingMax: 5_000 };

const aLoad = (load: Partial<Load>): Load => ({
  at: 0,
  queued: 0,
  queuedSeconds: 0,
  deadLetters: 0,
  appended: 0,
  folded: 0,
  ...load,
});

test("at a bound it refuses, and one event below it does not", () => {
  for (const [within, past] of [
    [{ queued: 999 }, { queued: 1_000 }],
    [
      { appended: 7_999, folded: 3_000 },
      { appended: 8_000, folded: 3_000 },
    ],
  ]) {
    const admission = makeAdmission(LIMITS);
    admission.observe(aLoad({ ...within }));
    assert.is(admission.refusal(0), undefined);
    admission.observe(aLoad({ ...past, at: 250 }));
    assert.is(admission.refusal(250)?._tag, "QueueFull");
    admission.observe(aLoad({ ...within, at: 500 }));
    assert.is(admission.refusal(500), undefined);
  }
});

test("before anything is known, and when nothing is known any more, nobody is refused", () => {
  const admission = makeAdmission(LIMITS);
  assert.is(admission.refusal(0), undefined);
  admission.observe(aLoad({ queued: 5_000 }));
  assert.ok(admission.refusal(0));
  admission.observe(undefined);
  assert.is(admission.refusal(0), undefined);
});

test("between two looks it counts what it lets in, and what that rate works off", () => {
  const admission = makeAdmission(LIMITS);
  admission.observe(aLoad({ at: 0, queued: 900, appended: 0 }));
  admission.observe(aLoad({ at: 1_000, queued: 900, appended: 400 }));
  admission.admit(99);
  assert.is(admission.refusal(1_000), undefined);
  admission.admit(1);
  assert.is(admission.refusal(1_000)?._tag, "QueueFull");
  // 400 a second are worked off.
  assert.is(admission.refusal(1_250), undefined);
  admission.admit(100);
  assert.is(admission.refusal(1_250)?._tag, "QueueFull");
  admission.observe(aLoad({ at: 1_500, queued: 700, appended: 500 }));
  assert.is(admission.refusal(1_500), undefined);
});

test("without a look for long it lets in what is worked off in a second, and no more", () => {
  const admission = makeAdmission(LIMITS);
  admission.observe(aLoad({ at: 0, queued: 1_000, appended: 0 }));
  admission.observe(aLoad({ at: 1_000, queued: 1_000, appended: 400 }));
  admission.admit(400);
  assert.is(admission.refusal(3_600_000)?._tag, "QueueFull");
});

test("a clock that was set back makes no room", () => {
  const admission = makeAdmission(LIMITS);
  admission.observe(aLoad({ at: 5_000, queued: 1_000, appended: 0 }));
  admission.observe(aLoad({ at: 4_000, queued: 1_000, appended: 400 }));
  assert.is(admission.refusal(3_000)?._tag, "QueueFull");
});

test("who is refused is told when there will be room, by how quickly the backlog drains", () => {
  for (const [what, loads, seconds] of [
    [
      "it got 100 smaller in a second, and is 500 above its room",
      [
        [1_500, 0],
        [1_400, 0],
      ],
      5,
    ],
    [
      "as much comes in as is appended",
      [
        [1_400, 0],
        [1_400, 100],
      ],
      5,
    ],
    [
      "there is room at once",
      [
        [1_000, 0],
        [1_000, 100_000],
      ],
      1,
    ],
    [
      "nothing is done",
      [
        [1_400, 7],
        [1_400, 7],
      ],
      60,
    ],
    [
      "it would take hours",
      [
        [1_000_000, 0],
        [1_000_000, 1],
      ],
      60,
    ],
  ] as const) {
    const admission = makeAdmission(LIMITS);
    for (const [i, [queued, appended]] of loads.entries()) {
      admission.observe(aLoad({ at: i * 1_000, queued, appended, folded: appended }));
    }
    assert.is(admission.refusal(1_000)?.retryAfterSeconds, seconds, what);
  }
});

test("the rate is that of the last seconds, and not that of a quiet hour before", () => {
  const admission = makeAdmission(LIMITS);
  admission.observe(aLoad({ at: 0, appended: 0 }));
  admission.observe(aLoad({ at: 3_600_000, queued: 1_400, appended: 0 }));
  admission.observe(aLoad({ at: 3_601_000, queued: 1_400, appended: 250, folded: 250 }));
  assert.is(admission.refusal(3_601_000)?.retryAfterSeconds, 2);
});

interface Watched {
  readonly backlog: Effect.Effect<Backlog, QueueUnavailable>;
  readonly heads?: ReadonlyArray<ReturnType<typeof at>>;
  readonly checkpoints?: ReadonlyArray<ReturnType<typeof at>>;
}

/** Watches a queue, a log and a projection that say so of themselves, in the background. */
const startWatch = (
  admission: Admission["Service"],
  { backlog, heads = [], checkpoints = [] }: Watched,
) => {
  const unused = () => Effect.die("not needed");
  return watchLoad.pipe(
    Effect.provideService(Admission, admission),
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

test("a look that takes long is followed by a rest of its length in proportion, of a second at most", () =>
  simulate(
    Effect.gen(function* () {
      const admission = makeAdmission(LIMITS);
      const looks: number[] = [];
      const backlog = Effect.gen(function* () {
        looks.push(yield* Clock.currentTimeMillis);
        yield* Effect.sleep(looks.length === 1 ? 100 : 5_000);
        return { events: 0, seconds: 0, deadLetters: 0 };
      });
      const fiber = yield* startWatch(admission, { backlog });
      for (let ms = 0; ms < 7_000; ms += 50) {
        yield* settled;
        yield* TestClock.adjust(50);
      }
      assert.equal(looks, [0, 500, 6_500]);
      yield* Fiber.interrupt(fiber);
    }),
  ));

test("the watch adds up what waits several times a second, and forgets it while the database is away", () =>
  simulate(
    Effect.gen(function* () {
      const admission = makeAdmission(LIMITS);
      let backlog: Backlog | undefined = { events: 2_000, seconds: 3, deadLetters: 1 };
      const fiber = yield* startWatch(admission, {
        backlog: Effect.suspend(() =>
          backlog === undefined
            ? Effect.fail(new QueueUnavailable({ cause: "away" }))
            : Effect.succeed(backlog),
        ),
        heads: [at(0, 30), at(1, 12)],
        checkpoints: [at(0, 20), at(1, 12)],
      });
      yield* settled;
      assert.equal(admission.load(), {
        at: 0,
        queued: 2_000,
        queuedSeconds: 3,
        deadLetters: 1,
        appended: 42,
        folded: 32,
      });
      assert.ok(admission.refusal(0));
      backlog = { events: 10, seconds: 0, deadLetters: 1 };
      yield* TestClock.adjust(250);
      yield* settled;
      assert.is(admission.refusal(250), undefined);
      assert.is(admission.load()?.queued, 10);
      backlog = undefined;
      yield* TestClock.adjust(250);
      yield* settled;
      assert.is(admission.load(), undefined);
      yield* Fiber.interrupt(fiber);
    }),
  ));

const at = (shard: number, position: number) => ({ shard, position, generation: 1 });

test.run();
