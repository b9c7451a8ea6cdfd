import { Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../event/event.fixture.ts";
import { simulate } from "../simulate.fixture.ts";
import { keepSpans } from "../trace.fixture.ts";
import { inSpan, type TraceContext } from "../trace.ts";
import type { Job } from "./queue.ts";
import { traceJobs } from "./trace_jobs.ts";

const test = suite("traceJobs");

const aJob = (id: string, trace?: TraceContext): Job => ({
  id,
  batch: { events: [anEvent({ eventId: id })], duplicates: 0, conflicts: 0 },
  retries: 0,
  queuedAt: 1_000,
  trace,
});
const traceNamed = (digit: string): TraceContext => ({
  traceId: digit.repeat(32),
  spanId: digit.repeat(16),
});

test("work on untraced jobs runs without spans", () =>
  simulate(
    Effect.gen(function* () {
      const { spans, traced } = keepSpans();
      const work = inSpan("inner")(Effect.succeed("done"));
      assert.is(yield* traceJobs([aJob("1"), aJob("2")], work).pipe(traced), "done");
      assert.equal(spans, []);
    }),
  ));

test("the trace of each traced job gets its wait and its part of the work, linked to the work for all", () =>
  simulate(
    Effect.gen(function* () {
      const { spans, traced } = keepSpans();
      yield* TestClock.adjust("3 seconds");
      const [a, b] = [traceNamed("a"), traceNamed("b")];
      const jobs = [aJob("1", a), aJob("2"), aJob("3", b)];
      const running = yield* Effect.forkDetach(
        traceJobs(jobs, inSpan("inner")(Effect.sleep("2 seconds"))).pipe(traced),
      );
      yield* TestClock.adjust("2 seconds");
      yield* Fiber.join(running);
      const named = (name: string) => spans.filter((span) => span.name === name);
      const [work] = named("worker");
      assert.equal(
        work?.links.map(({ span }) => span.traceId),
        [a.traceId, b.traceId],
      );
      assert.is(named("inner")[0]?.traceId, work?.traceId);
      for (const name of ["queue", "log"]) {
        assert.equal(
          named(name).map(({ traceId }) => traceId),
          [a.traceId, b.traceId],
        );
      }
      const times = (name: string) =>
        named(name).map(({ status }) =>
          status._tag === "Ended" ? [status.startTime, status.endTime].map(Number) : [],
        )[0];
      assert.equal(times("queue"), [1e9, 3e9]);
      assert.equal(times("log"), [3e9, 5e9]);
      assert.is(named("log")[0]?.links[0]?.span.spanId, work?.spanId);
    }),
  ));

test("only some of many traced jobs get spans", () =>
  simulate(
    Effect.gen(function* () {
      const { spans, traced } = keepSpans();
      const jobs = Array.from({ length: 1_000 }, (_, i) => aJob(`${i}`, traceNamed("a")));
      yield* traceJobs(jobs, Effect.void).pipe(traced);
      const [work] = spans;
      assert.is(work?.links.length, 64);
      assert.is(work?.attributes.get("tidemark.jobs"), 1_000);
      assert.is(spans.length, 1 + 2 * 64);
    }),
  ));

test.run();
