import { Clock, Context, Effect, identity, Layer } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../core/event/event.fixture.ts";
import { makeFakeLog } from "../core/log/event_log.fixture.ts";
import { EventLog } from "../core/log/event_log.ts";
import { makeFakeProjection } from "../core/projection/projection.fixture.ts";
import { Projection } from "../core/projection/projection.ts";
import { makeFakeQueue } from "../core/queue/queue.fixture.ts";
import { type Job, Queue } from "../core/queue/queue.ts";
import { simulate } from "../core/simulate.fixture.ts";
import { makeDatabaseFaults } from "./database/faults.ts";
import { makeMeters, type Meters } from "./metrics/meters.ts";
import { observeEventLog, observeProjection, observeQueue } from "./observations.ts";
import { Observers } from "./observe_port.ts";

const test = suite("what is measured of ports");

/** A port as it is when a layer provides it observed. */
const measured = <Id, Port extends object>(
  key: Context.Key<Id, Port>,
  port: Port,
  observed: (layer: Layer.Layer<Id>) => Layer.Layer<Id, never, Observers>,
  meters: Meters["Service"],
  clock: Clock.Clock = Context.get(Context.empty(), Clock.Clock),
): Port => {
  const observers = Layer.succeed(Observers, {
    meters,
    clock,
    faults: makeDatabaseFaults({ meters, log: () => {} }),
    isTraced: false,
    permits: { withPermit: identity, waiting: () => 0 },
  });
  const layer = Layer.provide(observed(Layer.succeed(key, port)), observers);
  return Context.get(Effect.runSync(Effect.scoped(Layer.build(layer))), key);
};

const batchOf = (size: number, duplicates = 0) => ({
  events: Array.from({ length: size }, (_, i) => anEvent({ eventId: `${i}` })),
  duplicates,
  conflicts: 0,
});
const aJob = (size: number): Job => ({ id: "1", batch: batchOf(size), retries: 0, queuedAt: 0 });
const lines = (text: string, name: string): string[] =>
  text.split("\n").filter((line) => line.startsWith(name));

test("accepted requests and events are counted, refused ones are not", async () => {
  const fake = makeFakeQueue();
  const meters = makeMeters();
  let full = false;
  const queue = measured(
    Queue,
    {
      ...fake.service,
      enqueue: (batch) => (full ? Effect.die("full") : fake.service.enqueue(batch)),
    },
    observeQueue,
    meters,
  );
  await Effect.runPromise(queue.enqueue(batchOf(3, 2)));
  await Effect.runPromise(queue.enqueue(batchOf(1)));
  full = true;
  await Effect.runPromiseExit(queue.enqueue(batchOf(100)));
  const text = meters.text();
  assert.match(text, /^tidemark_command_accepted_requests_total 2$/m);
  assert.match(text, /^tidemark_command_accepted_events_total 6$/m);
  assert.match(text, /^tidemark_queue_commit_duration_seconds_count 3$/m);
});

test("the outcomes of jobs are counted once they are acknowledged", async () => {
  const fake = makeFakeQueue();
  const meters = makeMeters();
  const queue = measured(Queue, fake.service, observeQueue, meters);
  const counts = { appended: 5, duplicates: 3, conflicts: 1 };
  const settle = queue.acknowledge([
    { _tag: "Completed", job: aJob(9), counts },
    { _tag: "Completed", job: aJob(9), counts },
    { _tag: "Failed", job: aJob(1), reason: "a test" },
  ]);
  fake.failAcknowledge = () => true;
  await Effect.runPromiseExit(settle);
  assert.match(meters.text(), /^tidemark_queue_jobs_total\{outcome="completed"\} 0$/m);
  fake.failAcknowledge = () => false;
  await Effect.runPromise(settle);
  assert.equal(lines(meters.text(), "tidemark_queue_jobs_total"), [
    'tidemark_queue_jobs_total{outcome="completed"} 2',
    'tidemark_queue_jobs_total{outcome="failed"} 1',
  ]);
  assert.equal(lines(meters.text(), "tidemark_log_events_total"), [
    'tidemark_log_events_total{outcome="appended"} 10',
    'tidemark_log_events_total{outcome="duplicate"} 6',
    'tidemark_log_events_total{outcome="conflict"} 2',
  ]);
});

test("the time to append and the time to fold are measured for every accepted event", () =>
  simulate(
    Effect.gen(function* () {
      const clock = yield* Clock.Clock;
      const meters = makeMeters();
      const queue = measured(Queue, makeFakeQueue().service, observeQueue, meters, clock);
      const fake = makeFakeProjection([4]);
      const projection = measured(Projection, fake.service, observeProjection, meters, clock);
      const counts = { appended: 9, duplicates: 0, conflicts: 0 };
      yield* TestClock.adjust("200 millis");
      yield* queue.acknowledge([
        { _tag: "Completed", job: aJob(9), counts },
        { _tag: "Completed", job: { ...aJob(1), queuedAt: 150 }, counts },
        { _tag: "Failed", job: aJob(5), reason: "a test" },
      ]);
      const of = (stage: string, series: string) =>
        lines(meters.text(), "tidemark_accept_to_visible_seconds").filter(
          (line) => line.includes(`stage="${stage}"`) && line.includes(series),
        );
      assert.match(of("append", 'le="0.05"').join(), /\} 1$/);
      assert.match(of("append", 'le="0.25"').join(), /\} 10$/);
      assert.match(of("fold", "_count").join(), /\} 0$/);
      // The fake recorded its events at 0.
      yield* projection.step(0, 3);
      assert.match(of("fold", 'le="0.1"').join(), /\} 0$/);
      assert.match(of("fold", 'le="0.25"').join(), /\} 3$/);
      yield* projection.skip(0, 4, "a test");
      yield* projection.step(0, 3);
      assert.match(of("fold", "_count").join(), /\} 3$/);
    }),
  ));

test("appends are timed, and their failures are counted by reason", async () => {
  const fake = makeFakeLog(1);
  const meters = makeMeters();
  const log = measured(EventLog, fake.service, observeEventLog, meters);
  const append = Effect.exit(log.append(0, [anEvent({ eventId: "1" })]));
  await Effect.runPromise(append);
  fake.busy = () => true;
  await Effect.runPromise(append);
  fake.unavailable = () => true;
  await Effect.runPromise(append);
  assert.equal(lines(meters.text(), "tidemark_log_append_failures_total"), [
    'tidemark_log_append_failures_total{reason="unavailable"} 1',
    'tidemark_log_append_failures_total{reason="shard_busy"} 1',
    'tidemark_log_append_failures_total{reason="refused"} 0',
  ]);
  assert.match(meters.text(), /^tidemark_log_append_duration_seconds_count 3$/m);
});

test("folded and poison events are counted, and steps are timed", async () => {
  const fake = makeFakeProjection([5]);
  const meters = makeMeters();
  const projection = measured(Projection, fake.service, observeProjection, meters);
  await Effect.runPromise(projection.step(0, 3));
  await Effect.runPromise(projection.skip(0, 4, "a test"));
  const text = meters.text();
  assert.match(text, /^tidemark_projection_folded_events_total 3$/m);
  assert.match(text, /^tidemark_projection_poisoned_events_total 1$/m);
  assert.match(text, /^tidemark_projection_step_duration_seconds_count 1$/m);
});

test.run();
