import { Effect } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../../core/event/event.fixture.ts";
import { makeFakeLog } from "../../core/log/event_log.fixture.ts";
import { makeFakeProjection } from "../../core/projection/projection.fixture.ts";
import { makeFakeQueue } from "../../core/queue/queue.fixture.ts";
import type { Job } from "../../core/queue/queue.ts";
import { simulate } from "../../core/simulate.fixture.ts";
import { measuredEventLog, measuredProjection, measuredQueue } from "./measured_ports.ts";
import { makeMeters } from "./meters.ts";

const test = suite("measured ports");

const batchOf = (size: number, duplicates = 0) => ({
  events: Array.from({ length: size }, (_, i) => anEvent({ eventId: `${i}` })),
  duplicates,
  conflicts: 0,
});
const aJob = (size: number): Job => ({ id: "1", batch: batchOf(size), retries: 0, queuedAt: 0 });
const lines = (text: string, name: string): string[] =>
  text.split("\n").filter((line) => line.startsWith(name));

test("what is accepted is counted in requests and in events, and what is not accepted is not", async () => {
  const fake = makeFakeQueue();
  const meters = makeMeters();
  let full = false;
  const queue = measuredQueue(
    {
      ...fake.service,
      enqueue: (batch) => (full ? Effect.die("full") : fake.service.enqueue(batch)),
    },
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

test("what became of jobs is counted once it is settled", async () => {
  const fake = makeFakeQueue();
  const meters = makeMeters();
  const queue = measuredQueue(fake.service, meters);
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

test("how long accepted events take is measured for each of them, until the append and until the fold", () => {
  const meters = makeMeters();
  const queue = measuredQueue(makeFakeQueue().service, meters);
  const projection = measuredProjection(makeFakeProjection([4]).service, meters);
  const counts = { appended: 9, duplicates: 0, conflicts: 0 };
  return simulate(
    Effect.gen(function* () {
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
  );
});

test("appends are timed, and their failures counted by reason", async () => {
  const fake = makeFakeLog(1);
  const meters = makeMeters();
  const log = measuredEventLog(fake.service, meters);
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

test("folded and poisoned events are counted, and steps timed", async () => {
  const fake = makeFakeProjection([5]);
  const meters = makeMeters();
  const projection = measuredProjection(fake.service, meters);
  await Effect.runPromise(projection.step(0, 3));
  await Effect.runPromise(projection.skip(0, 4, "a test"));
  const text = meters.text();
  assert.match(text, /^tidemark_projection_folded_events_total 3$/m);
  assert.match(text, /^tidemark_projection_poisoned_events_total 1$/m);
  assert.match(text, /^tidemark_projection_step_duration_seconds_count 1$/m);
});

test.run();
