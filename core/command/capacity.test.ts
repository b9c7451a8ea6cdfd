import { suite } from "uvu";
import * as assert from "uvu/assert";

import { PRIORITIES } from "../queue/queue.ts";
import { aLoadSample } from "./capacity.fixture.ts";
import { type Capacity, type LoadSample, makeCapacity, SAMPLE_VALID_MS } from "./capacity.ts";

const test = suite("capacity");

const LIMITS = { queuedMax: 1_000, laggingMax: 5_000 };

const read = (capacity: Capacity, load: LoadSample): void => capacity.beginSample().succeed(load);

const enqueue = (capacity: Capacity, events: number): void => {
  capacity.reserve(events);
  capacity.release(events, "enqueued");
};

const secondsTold = (capacity: Capacity, now: number): number | undefined => {
  const refusal = capacity.refusal(now, "normal");
  return refusal?._tag === "QueueFull" ? refusal.retryAfterSeconds : undefined;
};

test("it refuses at a limit, and not one event below it", () => {
  for (const [within, past] of [
    [{ queued: 999 }, { queued: 1_000 }],
    [
      { appended: 7_999, folded: 3_000 },
      { appended: 8_000, folded: 3_000 },
    ],
  ]) {
    const capacity = makeCapacity(LIMITS);
    read(capacity, aLoadSample({ ...within }));
    assert.is(capacity.refusal(0, "normal"), undefined);
    read(capacity, aLoadSample({ ...past, at: 250 }));
    assert.is(capacity.refusal(250, "normal")?._tag, "QueueFull");
    read(capacity, aLoadSample({ ...within, at: 500 }));
    assert.is(capacity.refusal(500, "normal"), undefined);
  }
});

test("nothing is accepted before the first sample", () => {
  const capacity = makeCapacity(LIMITS);
  assert.is(capacity.refusal(0, "normal")?._tag, "QueueUnavailable");
  read(capacity, aLoadSample());
  assert.is(capacity.refusal(0, "normal"), undefined);
});

test("the last sample stays valid for a while, counting what was accepted since; then nothing is accepted", () => {
  const capacity = makeCapacity(LIMITS);
  read(capacity, aLoadSample({ at: 0, queued: 900, appended: 0 }));
  capacity.beginSample();
  assert.is(capacity.refusal(SAMPLE_VALID_MS, "normal"), undefined);
  enqueue(capacity, 100);
  assert.is(capacity.refusal(SAMPLE_VALID_MS, "normal")?._tag, "QueueFull");
  assert.is(capacity.refusal(SAMPLE_VALID_MS + 1, "normal")?._tag, "QueueUnavailable");
  read(capacity, aLoadSample({ at: 9_000, queued: 10 }));
  assert.is(capacity.refusal(9_000, "normal"), undefined);
});

test("events that are being enqueued count, until they are refused", () => {
  const capacity = makeCapacity(LIMITS);
  read(capacity, aLoadSample());
  capacity.reserve(1_000);
  assert.is(capacity.refusal(0, "normal")?._tag, "QueueFull");
  capacity.release(1_000, "refused");
  assert.is(capacity.refusal(0, "normal"), undefined);
});

test("events that are enqueued during a sample count in addition to it", () => {
  const capacity = makeCapacity(LIMITS);
  read(capacity, aLoadSample());
  enqueue(capacity, 300);
  const reading = capacity.beginSample();
  enqueue(capacity, 400);
  capacity.reserve(299);
  reading.succeed(aLoadSample({ queued: 300 }));
  assert.is(capacity.refusal(0, "normal"), undefined);
  capacity.reserve(1);
  assert.is(capacity.refusal(0, "normal")?._tag, "QueueFull");
});

test("a lower priority is refused sooner, and leaves the rest of a limit to the higher ones", () => {
  for (const [queued, refused] of [
    [499, []],
    [500, ["lowest"]],
    [749, ["lowest"]],
    [750, ["low", "lowest"]],
    [999, ["low", "lowest"]],
    [1_000, ["normal", "low", "lowest"]],
  ] as const) {
    const capacity = makeCapacity(LIMITS);
    read(capacity, aLoadSample({ queued }));
    assert.equal(
      PRIORITIES.filter((priority) => capacity.refusal(0, priority) !== undefined),
      refused,
      `${queued}`,
    );
  }
});

test("between two samples it counts what it accepts, and what drains at the measured rate", () => {
  const capacity = makeCapacity(LIMITS);
  read(capacity, aLoadSample({ at: 0, queued: 900, appended: 0 }));
  read(capacity, aLoadSample({ at: 1_000, queued: 900, appended: 400 }));
  enqueue(capacity, 99);
  assert.is(capacity.refusal(1_000, "normal"), undefined);
  enqueue(capacity, 1);
  assert.is(capacity.refusal(1_000, "normal")?._tag, "QueueFull");
  // 400 a second drain.
  assert.is(capacity.refusal(1_250, "normal"), undefined);
  enqueue(capacity, 100);
  assert.is(capacity.refusal(1_250, "normal")?._tag, "QueueFull");
  read(capacity, aLoadSample({ at: 1_500, queued: 700, appended: 500 }));
  assert.is(capacity.refusal(1_500, "normal"), undefined);
});

test("without a new sample it accepts what drains in one second, and no more", () => {
  const capacity = makeCapacity(LIMITS);
  read(capacity, aLoadSample({ at: 0, queued: 1_000, appended: 0 }));
  read(capacity, aLoadSample({ at: 1_000, queued: 1_000, appended: 400 }));
  enqueue(capacity, 400);
  assert.is(capacity.refusal(5_900, "normal")?._tag, "QueueFull");
});

test("setting the clock back makes no room", () => {
  const capacity = makeCapacity(LIMITS);
  read(capacity, aLoadSample({ at: 5_000, queued: 1_000, appended: 0 }));
  read(capacity, aLoadSample({ at: 4_000, queued: 1_000, appended: 400 }));
  assert.is(capacity.refusal(3_000, "normal")?._tag, "QueueFull");
});

test("a refusal says when there will be room, from how fast the backlog drains", () => {
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
    const capacity = makeCapacity(LIMITS);
    for (const [i, [queued, appended]] of loads.entries()) {
      read(capacity, aLoadSample({ at: i * 1_000, queued, appended, folded: appended }));
    }
    assert.is(secondsTold(capacity, 1_000), seconds, what);
  }
});

test("the rate is that of the last seconds, not that of a quiet hour before", () => {
  const capacity = makeCapacity(LIMITS);
  read(capacity, aLoadSample({ at: 0, appended: 0 }));
  read(capacity, aLoadSample({ at: 3_600_000, queued: 1_400, appended: 0 }));
  read(capacity, aLoadSample({ at: 3_601_000, queued: 1_400, appended: 250, folded: 250 }));
  assert.is(secondsTold(capacity, 3_601_000), 2);
});

test.run();
