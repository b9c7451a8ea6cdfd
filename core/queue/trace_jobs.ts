import { Clock, Effect, Tracer } from "effect";

import { inside, linkTo, recordSpan, type TraceContext } from "../trace.ts";
import type { Job } from "./queue.ts";

/** The most spans that one is linked to, and so the most requests of one take that are followed in detail. */
const LINKS_MAX = 64;

/** A job that came by a traced request. */
export interface TracedJob {
  readonly job: Job;
  readonly trace: TraceContext;
}

/** Those of some jobs that are traced, at most `LINKS_MAX`. */
export const tracedOf = (jobs: ReadonlyArray<Job>): ReadonlyArray<TracedJob> => {
  const traced: TracedJob[] = [];
  for (const job of jobs) {
    if (job.trace === undefined) continue;
    traced.push({ job, trace: job.trace });
    if (traced.length === LINKS_MAX) break;
  }
  return traced;
};

/**
 * Works on jobs that came by several requests, which is a trace of its own, linked to theirs; and each of
 * theirs goes on with how long its job waited in the queue and how long the work took, linked to the work.
 * Without a traced job among them it is the work as it is.
 */
export const traceJobs = <A, E, R>(
  jobs: ReadonlyArray<Job>,
  work: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const traced = tracedOf(jobs);
    if (traced.length === 0) return work;
    const links = traced.map(({ trace }) => linkTo(trace));
    const attributes = { "tidemark.jobs": jobs.length };
    return Effect.useSpan("worker", { root: true, kind: "consumer", links, attributes }, (span) =>
      Effect.gen(function* () {
        const tracer = yield* Tracer.Tracer;
        const taken = yield* Clock.currentTimeMillis;
        const done = yield* inside(span)(work);
        const ended = yield* Clock.currentTimeMillis;
        for (const { job, trace: parent } of traced) {
          const attributesOf = { "tidemark.job_id": job.id };
          const wait = { name: "queue", parent, from: job.queuedAt, to: taken };
          recordSpan(tracer, { ...wait, attributes: attributesOf });
          const log = { name: "log", parent, links: [span], from: taken, to: ended };
          recordSpan(tracer, { ...log, attributes: attributesOf });
        }
        return done;
      }),
    );
  });
