import { Effect } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../event/event.fixture.ts";
import { shardOf } from "../event/shard.ts";
import type { Job } from "../queue/queue.ts";
import { makeSignals, Signals } from "../signal.ts";
import { settled, simulate } from "../simulate.fixture.ts";
import { keepSpans } from "../trace.fixture.ts";
import { Sampling, type TraceContext } from "../trace.ts";
import { Invalidations } from "./invalidations.ts";
import { makeFakeProjection } from "./projection.fixture.ts";
import { Projection } from "./projection.ts";
import { runProjector, STEP_EVENTS_MAX } from "./projector.ts";
import { handOverTraced } from "./trace_visible.ts";

const test = suite("traces of what becomes visible");

const SHARDS = 2;
const REQUEST: TraceContext = { traceId: "a".repeat(32), spanId: "b".repeat(16) };
const accountOn = (shard: number): string => {
  let i = 0;
  while (shardOf(`account-${i}`, SHARDS) !== shard) i++;
  return `account-${i}`;
};
const aJob = (shards: ReadonlyArray<number>, trace?: TraceContext): Job => ({
  id: "job",
  batch: {
    events: shards.map((shard, i) => anEvent({ accountId: accountOn(shard), eventId: `${i}` })),
    duplicates: 0,
    conflicts: 0,
  },
  retries: 0,
  queuedAt: 0,
  trace,
});

/** A traced projector in the background, and what a worker hands to it. */
const startProjector = Effect.fnUntraced(function* (heads: ReadonlyArray<number> = [0, 0]) {
  const fake = makeFakeProjection(heads);
  const signals = makeSignals();
  const { spans, traced } = keepSpans();
  yield* runProjector.pipe(
    Effect.provideService(Projection, fake.service),
    Effect.provideService(Signals, signals),
    Effect.provideService(Invalidations, {
      publish: () => Effect.void,
      subscribe: () => Effect.die("not needed"),
    }),
    Effect.provideService(Sampling, () => true),
    traced,
    Effect.forkDetach,
  );
  yield* settled;
  const append = (...jobs: ReadonlyArray<Job>) =>
    handOverTraced(signals.tracedAppends, jobs, SHARDS);
  const visible = () => spans.filter(({ name }) => name === "projection");
  return { fake, signals, spans, append, visible };
});

test("a traced job has a span from its append to the step that folds it, on each of its shards", () =>
  simulate(
    Effect.gen(function* () {
      const { fake, signals, spans, append, visible } = yield* startProjector();
      yield* TestClock.adjust("10 seconds");
      yield* append(aJob([0, 1, 1], REQUEST), aJob([0]));
      fake.heads.splice(0, 2, 1, 2);
      fake.onStep = () => Effect.sleep("30 millis");
      yield* signals.appended.raise;
      yield* TestClock.adjust("100 millis");
      assert.is(visible().length, 2);
      for (const span of visible()) {
        assert.is(span.traceId, REQUEST.traceId);
        assert.is(span.status.startTime, 10_000_000_000n);
        const shard = span.attributes.get("tidemark.shard");
        const step = spans.find(
          ({ name, attributes }) =>
            name === "projection step" && attributes.get("tidemark.shard") === shard,
        );
        assert.equal(
          span.links.map((link) => link.span.spanId),
          [step?.spanId],
        );
      }
      assert.is(signals.tracedAppends.size, 0);
    }),
  ));

test("events of a shard that is behind are not visible yet", () =>
  simulate(
    Effect.gen(function* () {
      const { fake, signals, append, visible } = yield* startProjector();
      fake.leased = () => true;
      fake.heads[0] = STEP_EVENTS_MAX + 1;
      yield* append(aJob([0], REQUEST));
      yield* TestClock.adjust("10 seconds");
      assert.equal(visible(), []);
      fake.leased = () => false;
      yield* TestClock.adjust("1 second");
      assert.is(visible().length, 1);
      assert.is(signals.tracedAppends.size, 0);
    }),
  ));

test("events that another process has folded are visible, without a link to a step", () =>
  simulate(
    Effect.gen(function* () {
      const { fake, append, visible } = yield* startProjector([1, 0]);
      yield* TestClock.adjust("10 seconds");
      yield* append(aJob([0], REQUEST));
      fake.heads[0] = 2;
      fake.checkpoints[0] = 2;
      yield* TestClock.adjust("1 second");
      assert.equal(
        visible().map(({ links }) => links),
        [[]],
      );
    }),
  ));

test("traced appends are kept while the database is unavailable, but only so many", () =>
  simulate(
    Effect.gen(function* () {
      const { fake, signals, append, visible } = yield* startProjector();
      fake.unavailable = true;
      for (let i = 0; i < 2_000; i++) yield* append(aJob([0], REQUEST));
      yield* TestClock.adjust("10 seconds");
      assert.is(signals.tracedAppends.size, 1_000);
      assert.equal(visible(), []);
      fake.unavailable = false;
      yield* TestClock.adjust("1 second");
      assert.is(visible().length, 1_000);
    }),
  ));

test.run();
