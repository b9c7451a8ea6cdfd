import { Clock, Effect, Tracer } from "effect";

import { inside, linkTo, recordSpan, type TraceContext } from "../trace.ts";
import type { Job } from "./queue.ts";

/** The most links of a span, and so the most requests of one fetch whose traces continue. */
const LINKS_MAX = 64;

/** A job of a traced request. */
export interface TracedJob {
  readonly job: Job;
  readonly trace: TraceContext;
}

/** The traced ones among some jobs, at most `LINKS_MAX`. */
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
 * Traces work on the jobs of several requests: the work is a trace of its own, with links to the requests. Each of their
 * traces gets a span for the wait in the queue, and one for the work with a link to it. If no job is traced, runs the work
 * unchanged.
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
        const fetchedAt = yield* Clock.currentTimeMillis;
        const done = yield* inside(span)(work);
        const endedAt = yield* Clock.currentTimeMillis;
        for (const { job, trace: parent } of traced) {
          const attributesOf = { "tidemark.job_id": job.id };
          const wait = { name: "queue", parent, from: job.queuedAt, to: fetchedAt };
          recordSpan(tracer, { ...wait, attributes: attributesOf });
          const log = { name: "log", parent, links: [span], from: fetchedAt, to: endedAt };
          recordSpan(tracer, { ...log, attributes: attributesOf });
        }
        return done;
      }),
    );
  });
