import { Effect, Result } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../event/event.fixture.ts";
import { simulate } from "../simulate.fixture.ts";
import { makeAdmission } from "./admission.ts";
import { makeLanes, makeLoudness } from "./lanes.ts";

const test = suite("lanes");

const batchOf = (accountId: string, count: number) => ({
  events: Array.from({ length: count }, (_, i) => anEvent({ accountId, eventId: `${i}` })),
  duplicates: 0,
  conflicts: 0,
});

/** Who is loud after each account sent so many events a second for a while. */
const loudAmong = (rates: Readonly<Record<string, number>>, seconds = 20) => {
  const loudness = makeLoudness();
  for (let tick = 0; tick < seconds * 10; tick++) {
    for (const [accountId, rate] of Object.entries(rates)) {
      loudness.add(accountId, rate / 10, tick * 100);
    }
  }
  return Object.keys(rates).filter((accountId) => loudness.isLoud(accountId, seconds * 1_000));
};

test("loud is who sends many times what others do", () => {
  const quiet = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`quiet-${i}`, 100]));
  assert.equal(loudAmong({ ...quiet, flood: 5_000 }), ["flood"]);
  assert.equal(loudAmong({ quiet: 100, flood: 5_000 }), ["flood"]);
  assert.equal(loudAmong({ ...quiet, one: 2_000, two: 2_000 }), ["one", "two"]);
});

test("among equals all are alike, and who sends little is never loud", () => {
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`a-${i}`, 1_000]));
  assert.equal(loudAmong(many), []);
  assert.equal(loudAmong({ one: 400, two: 1 }), []);
});

test("who falls silent is no longer loud after a while, however long it all goes on", () => {
  const loudness = makeLoudness();
  let now = 0;
  for (; now < 3_600_000; now += 1_000) {
    loudness.add("flood", 5_000, now);
    loudness.add("quiet", 50, now);
  }
  assert.ok(loudness.isLoud("flood", now));
  assert.not.ok(loudness.isLoud("quiet", now));
  for (const end = now + 30_000; now < end; now += 1_000) loudness.add("quiet", 50, now);
  assert.not.ok(loudness.isLoud("flood", now));
});

test("a batch goes behind when most of it is of who is loud, and past half of a bound it is refused", () =>
  simulate(
    Effect.gen(function* () {
      const admission = makeAdmission({ queuedMax: 1_000, laggingMax: 1_000 });
      const lanes = makeLanes(admission);
      const laneOf = (batch: ReturnType<typeof batchOf>) =>
        Effect.map(Effect.result(lanes.of(batch)), (result) =>
          Result.isSuccess(result) ? result.success : result.failure._tag,
        );
      for (let i = 0; i < 100; i++) {
        yield* laneOf(batchOf("flood", 100));
        yield* laneOf(batchOf("quiet", 1));
        yield* TestClock.adjust(20);
      }
      assert.is(yield* laneOf(batchOf("flood", 100)), "behind");
      assert.is(yield* laneOf(batchOf("quiet", 100)), "normal");
      const mixed = [...batchOf("quiet", 60).events, ...batchOf("flood", 40).events];
      assert.is(yield* laneOf({ events: mixed, duplicates: 0, conflicts: 0 }), "normal");
      const load = { at: 0, queuedSeconds: 0, deadLetters: 0, appended: 0, folded: 0 };
      admission.observe({ ...load, queued: 500 });
      assert.is(yield* laneOf(batchOf("flood", 100)), "QueueFull");
      assert.is(yield* laneOf(batchOf("quiet", 1)), "normal");
      assert.is(admission.refusal(load.at), undefined);
    }),
  ));

test.run();
