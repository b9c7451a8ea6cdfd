import { Effect, Fiber, FiberSet, Schedule, Semaphore } from "effect";

import { bytesIn, eventsIn } from "../event/batch.ts";
import { appendJobs, MANY_EVENTS } from "../log/append_jobs.ts";
import { EventLog } from "../log/event_log.ts";
import { FAILED_DELAY, poll, RECOVERED_AFTER_MS } from "../poll.ts";
import { handOverTraced } from "../projection/trace_visible.ts";
import { type FaultReport, makeFaultReport } from "../report_faults.ts";
import { Signals } from "../signal.ts";
import { inSpan } from "../trace.ts";
import { type Acknowledgement, FETCH_BYTES_MAX, type Job, Queue } from "./queue.ts";
import { traceJobs } from "./trace_jobs.ts";

/**
 * About how many events a worker fetches at once. More makes appends cheaper per event, but takes more memory and time;
 * beyond this the gain is small.
 */
export const FETCH_EVENTS_MAX = 2 * MANY_EVENTS;

/**
 * How many fetches of a worker are in flight: while the events of one are appended, the next is fetched and the last
 * acknowledged; and a shard that another process holds delays only one of them.
 */
const FETCHES_IN_FLIGHT_MAX = 3;

/**
 * Fetches jobs from the queue, appends their events to the log and acknowledges the jobs, until interrupted; then it
 * finishes the jobs in flight. It appends before it acknowledges: if it dies in between, the queue redelivers the job, and
 * the log recognises its events.
 */
export const runWorker = Effect.gen(function* () {
  const queue = yield* Queue;
  const log = yield* EventLog;
  const signals = yield* Signals;
  const report = yield* makeFaultReport({
    task: "worker",
    failing: "Worker paused: the database is unavailable or refuses its statements",
    working: "Worker resumed",
    recoveredAfterMs: RECOVERED_AFTER_MS,
  });
  const permits = yield* Semaphore.make(FETCHES_IN_FLIGHT_MAX);
  const inFlight = yield* FiberSet.make<void, never>();
  const heartbeats = yield* makeFaultReport({
    task: "heartbeat",
    failing: "Heartbeats fail: the queue may redeliver jobs that are in flight",
    working: "Heartbeats work again",
  });

  // One generator function for all fetches. To V8 each generator function is a class: one made for each fetch would live
  // until the old generation is collected, together with the jobs in its closure.
  const appendAndAcknowledge = Effect.fnUntraced(function* (jobs: ReadonlyArray<Job>) {
    const acknowledgements = yield* appendJobs(jobs).pipe(Effect.retry(WHILE_UNAVAILABLE));
    yield* handOverTraced(signals.tracedAppends, completedIn(acknowledgements), log.shards);
    // Before acknowledging, so that the events are visible sooner.
    yield* signals.appended.raise;
    yield* queue
      .acknowledge(acknowledgements)
      .pipe(Effect.retry(WHILE_UNAVAILABLE), inSpan("acknowledge"));
    return acknowledgements;
  });

  const work = (jobs: ReadonlyArray<Job>) =>
    whileHeartbeating(jobs, heartbeats, traceJobs(jobs, appendAndAcknowledge(jobs))).pipe(
      Effect.flatMap(logFailures),
      Effect.andThen(report.worked),
      // Still with its permit: when all permits are held, nothing more is fetched.
      Effect.catch((error) => Effect.andThen(report.failed(error), Effect.sleep(FAILED_DELAY))),
      Effect.ensuring(permits.release(1)),
      Effect.uninterruptible,
    );

  // One loop for all fetches, so that little work is fetched at a pace, and much work as fast as possible.
  const pollOnce = Effect.gen(function* () {
    yield* permits.take(1);
    const jobs = yield* Effect.onError(queue.fetch(FETCH_EVENTS_MAX), () => permits.release(1));
    if (jobs.length === 0) {
      // Jobs in flight may still fail.
      if ((yield* FiberSet.size(inFlight)) === 0) yield* report.worked;
      yield* permits.release(1);
      return "none" as const;
    }
    yield* FiberSet.run(inFlight, work(jobs));
    return isMuch(jobs) ? ("more" as const) : ("some" as const);
  });

  return yield* Effect.raceFirst(
    poll(pollOnce, signals.queued, report.failed),
    // Only a defect can end this.
    Effect.andThen(FiberSet.join(inFlight), Effect.never),
  ).pipe(Effect.ensuring(FiberSet.awaitEmpty(inFlight)));
}).pipe(Effect.scoped);

const completedIn = (acknowledgements: ReadonlyArray<Acknowledgement>): ReadonlyArray<Job> =>
  acknowledgements.flatMap(({ _tag, job }) => (_tag === "Completed" ? [job] : []));

/** Whether a fetch is so large that the queue probably has more. */
const isMuch = (jobs: ReadonlyArray<Job>): boolean =>
  eventsIn(jobs) >= MANY_EVENTS ||
  jobs.reduce((sum, { batch }) => sum + bytesIn(batch.events), 0) >= FETCH_BYTES_MAX / 2;

// Retried instead of dropped: dropped jobs come back only after the queue misses this worker's heartbeat. About six
// seconds: longer than a database takes to restart, shorter than the heartbeat, and a limit for a graceful shutdown.
const WHILE_UNAVAILABLE = Schedule.exponential("100 millis").pipe(
  Schedule.jittered,
  Schedule.upTo({ times: 6 }),
);

/** Several heartbeats before the queue considers the worker dead. */
const HEARTBEAT_EVERY = "3 seconds";

/** Works on jobs, and sends heartbeats for them in the meantime. */
const whileHeartbeating = <A, E, R>(
  jobs: ReadonlyArray<Job>,
  heartbeats: FaultReport,
  work: Effect.Effect<A, E, R>,
) =>
  Effect.flatMap(Queue, (queue) => {
    const beating = Effect.forever(
      Effect.andThen(Effect.sleep(HEARTBEAT_EVERY), heartbeats.watch(queue.heartbeat(jobs))),
    );
    // Detached: the work cannot be interrupted, but the heartbeats must be.
    return Effect.acquireUseRelease(Effect.forkDetach(beating), () => work, Fiber.interrupt);
  });

/** One line per reason: thousands of jobs may fail for the same one. */
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
