import { Effect, Fiber } from "effect";
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
    assert.is(admission.refusal(), undefined);
    admission.observe(aLoad({ ...past, at: 250 }));
    assert.is(admission.refusal()?._tag, "QueueFull");
    admission.observe(aLoad({ ...within, at: 500 }));
    assert.is(admission.refusal(), undefined);
  }
});

test("before anything is known, and when nothing is known any more, nobody is refused", () => {
  const admission = makeAdmission(LIMITS);
  assert.is(admission.refusal(), undefined);
  admission.observe(aLoad({ queued: 5_000 }));
  assert.ok(admission.refusal());
  admission.observe(undefined);
  assert.is(admission.refusal(), undefined);
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
    assert.is(admission.refusal()?.retryAfterSeconds, seconds, what);
  }
});

test("the rate is that of the last seconds, and not that of a quiet hour before", () => {
  const admission = makeAdmission(LIMITS);
  admission.observe(aLoad({ at: 0, appended: 0 }));
  admission.observe(aLoad({ at: 3_600_000, queued: 1_400, appended: 0 }));
  admission.observe(aLoad({ at: 3_601_000, queued: 1_400, appended: 250, folded: 250 }));
  assert.is(admission.refusal()?.retryAfterSeconds, 2);
});

test("the watch adds up what waits several times a second, and forgets it while the database is away", () =>
  simulate(
    Effect.gen(function* () {
      const admission = makeAdmission(LIMITS);
      let backlog: Backlog | undefined = { events: 2_000, seconds: 3, deadLetters: 1 };
      const queue = {
        ...makeFakeQueue().service,
        backlog: Effect.suspend(() =>
          backlog === undefined
            ? Effect.fail(new QueueUnavailable({ cause: "away" }))
            : Effect.succeed(backlog),
        ),
      };
      const log = { ...makeFakeLog().service, heads: Effect.succeed([at(0, 30), at(1, 12)]) };
      const checkpoints = Effect.succeed([at(0, 20), at(1, 12)]);
      const unused = () => Effect.die("not needed");
      const projection = { step: unused, skip: unused, lagging: unused(), upkeep: unused() };
      const fiber = yield* watchLoad.pipe(
        Effect.provideService(Admission, admission),
        Effect.provideService(Queue, queue),
        Effect.provideService(EventLog, log),
        Effect.provideService(Projection, { ...projection, checkpoints, lag: unused() }),
        Effect.forkDetach,
      );
      yield* settled;
      assert.equal(admission.load(), {
        at: 0,
        queued: 2_000,
        queuedSeconds: 3,
        deadLetters: 1,
        appended: 42,
        folded: 32,
      });
      assert.ok(admission.refusal());
      backlog = { events: 10, seconds: 0, deadLetters: 1 };
      yield* TestClock.adjust(250);
      yield* settled;
      assert.is(admission.refusal(), undefined);
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
