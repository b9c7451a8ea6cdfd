import { Effect, Fiber, FiberSet, Schedule, Semaphore } from "effect";

import { bytesIn, eventsIn } from "../event/batch.ts";
import { appendJobs, MANY_EVENTS } from "../log/append_jobs.ts";
import { AWAY_DELAY, BACK_AFTER_MS, poll } from "../poll.ts";
import { type FaultReport, makeFaultReport } from "../report_faults.ts";
import { Signals } from "../signal.ts";
import { inSpan } from "../trace.ts";
import { type Job, Queue, type Acknowledgement, FETCH_BYTES_MAX } from "./queue.ts";
import { traceJobs } from "./trace_jobs.ts";

/**
 * About how many events a worker takes at once. More makes appends cheaper by the event and memory
 * and latency larger; the gain flattens here.
 */
export const FETCH_EVENTS_MAX = 2 * MANY_EVENTS;

/**
 * How many takes a worker has in hand: while the events of one are appended, the next is taken and the last
 * settled, and a shard that somebody else holds keeps only one of them waiting.
 */
const FETCHES_IN_FLIGHT_MAX = 3;

/**
 * Takes jobs from the queue, appends their events to the log and settles the jobs, until interrupted; then it
 * finishes what it has in hand. Append comes before settle: a worker that dies in between leaves a job that
 * will be handed out again, and whose events the log then recognises.
 */
export const runWorker = Effect.gen(function* () {
  const queue = yield* Queue;
  const signals = yield* Signals;
  const report = yield* makeFaultReport({
    task: "worker",
    failing: "The worker waits: the database is away or refuses",
    working: "The worker goes on",
    backAfterMs: BACK_AFTER_MS,
  });
  const hands = yield* Semaphore.make(FETCHES_IN_FLIGHT_MAX);
  const inFlight = yield* FiberSet.make<void, never>();
  const heartbeats = yield* makeFaultReport({
    task: "heartbeat",
    failing: "The queue does not hear that jobs are worked on: it may hand them out again",
    working: "The queue hears again that jobs are worked on",
  });

  // One generator function for all takes: to V8 each is a class of its own, so that one made for a take would
  // live, and with it the jobs that it closes over, until the old generation is collected.
  const appendAndAcknowledge = Effect.fnUntraced(function* (jobs: ReadonlyArray<Job>) {
    const appended = yield* appendJobs(jobs).pipe(Effect.retry(WHILE_AWAY));
    // Before settling: the events are visible sooner, and the order of these two does not matter.
    yield* signals.appended.raise;
    yield* queue.acknowledge(appended).pipe(Effect.retry(WHILE_AWAY), inSpan("acknowledge"));
    return appended;
  });

  const work = (jobs: ReadonlyArray<Job>) =>
    whileHeartbeating(jobs, heartbeats, traceJobs(jobs, appendAndAcknowledge(jobs))).pipe(
      Effect.flatMap(logFailures),
      Effect.andThen(report.worked),
      // With its hand full: when all are, nothing more is taken.
      Effect.catch((error) => Effect.andThen(report.failed(error), Effect.sleep(AWAY_DELAY))),
      Effect.ensuring(hands.release(1)),
      Effect.uninterruptible,
    );

  // One loop for all of them, so that little work is taken at one pace, and as much at once as there is.
  const look = Effect.gen(function* () {
    yield* hands.take(1);
    const jobs = yield* Effect.onError(queue.fetch(FETCH_EVENTS_MAX), () => hands.release(1));
    if (jobs.length === 0) {
      // What is in hand may still fail.
      if ((yield* FiberSet.size(inFlight)) === 0) yield* report.worked;
      yield* hands.release(1);
      return "none" as const;
    }
    yield* FiberSet.run(inFlight, work(jobs));
    return isMuch(jobs) ? ("more" as const) : ("some" as const);
  });

  return yield* Effect.raceFirst(
    poll(look, signals.queued, report.failed),
    // Of what is in hand only a defect comes through.
    Effect.andThen(FiberSet.join(inFlight), Effect.never),
  ).pipe(Effect.ensuring(FiberSet.awaitEmpty(inFlight)));
}).pipe(Effect.scoped);

/** Whether a take is so large that there may be as much again. */
const isMuch = (jobs: ReadonlyArray<Job>): boolean =>
  eventsIn(jobs) >= MANY_EVENTS ||
  jobs.reduce((sum, { batch }) => sum + bytesIn(batch.events), 0) >= FETCH_BYTES_MAX / 2;

// The jobs in hand are appended or settled again rather than dropped: they would only come back later,
// when the queue misses this worker's heartbeat. About six seconds: longer than a database takes to
// restart, shorter than the heartbeat, and an end for a shutdown to wait for.
const WHILE_AWAY = Schedule.exponential("100 millis").pipe(
  Schedule.jittered,
  Schedule.upTo({ times: 6 }),
);

/** How often the queue is told that jobs are in hand: several times before it would miss the worker. */
const HEARTBEAT_EVERY = "3 seconds";

/** Works on jobs, and tells the queue so for as long as it takes. */
const whileHeartbeating = <A, E, R>(
  jobs: ReadonlyArray<Job>,
  heartbeats: FaultReport,
  work: Effect.Effect<A, E, R>,
) =>
  Effect.flatMap(Queue, (queue) => {
    const keeping = Effect.forever(
      Effect.andThen(Effect.sleep(HEARTBEAT_EVERY), heartbeats.watch(queue.heartbeat(jobs))),
    );
    // Detached: what is in hand cannot be interrupted, and what keeps must be.
    return Effect.acquireUseRelease(Effect.forkDetach(keeping), () => work, Fiber.interrupt);
  });

/** A line for each reason: thousands of jobs may fail for the same one. */
const logFailures = (acknowledgements: ReadonlyArray<Acknowledgement>): Effect.Effect<void> => {
  const byReason = new Map<string, string[]>();
  for (const acknowledgement of acknowledgements) {
    if (acknowledgement._tag === "Completed") continue;
    const ids = byReason.get(acknowledgement.reason);
    if (ids === undefined) byReason.set(acknowledgement.reason, [acknowledgement.job.id]);
    else ids.push(acknowledgement.job.id);
  }
  return Effect.forEach(
    byReason,
    ([reason, [first, ...others]]) =>
      Effect.logError("A job failed").pipe(
        Effect.annotateLogs({
          reason,
          job_id: first,
          ...(others.length > 0 ? { and_others: others.length } : {}),
        }),
      ),
    { discard: true },
  );
};
