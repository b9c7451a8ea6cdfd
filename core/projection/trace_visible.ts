import { Clock, Effect, Tracer } from "effect";

import { shardOf } from "../event/shard.ts";
import type { Job } from "../queue/queue.ts";
import { type TracedJob, tracedOf } from "../queue/trace_jobs.ts";
import { recordSpan, type TraceContext } from "../trace.ts";

/** The events of a traced job on one shard, from their append until they are visible in the read models. */
export interface TracedAppend {
  readonly traced: TracedJob;
  readonly shard: number;
  /** Milliseconds since the Unix epoch. */
  readonly appendedAt: number;
}

/** Bounds what a process without a projector, or with one that is stuck, remembers. */
const TRACED_APPENDS_MAX = 1_000;

/** Hands the traced jobs among those just appended to the projector of this process. */
export const handOverTraced = (
  appends: Set<TracedAppend>,
  jobs: ReadonlyArray<Job>,
  shardCount: number,
): Effect.Effect<void> => {
  const tracedJobs = tracedOf(jobs);
  if (tracedJobs.length === 0) return Effect.void;
  return Effect.map(Clock.currentTimeMillis, (appendedAt) => {
    for (const traced of tracedJobs) {
      const { events } = traced.job.batch;
      const shards = new Set(events.map(({ accountId }) => shardOf(accountId, shardCount)));
      for (const shard of shards) {
        if (appends.size < TRACED_APPENDS_MAX) appends.add({ traced, shard, appendedAt });
      }
    }
  });
};

/** The last step of a shard in this process. */
export interface LastStep {
  /** Milliseconds since the Unix epoch. */
  readonly endedAt: number;
  /** Undefined if the step was not traced. */
  readonly trace: TraceContext | undefined;
}

/**
 * Adds a span `projection` to the trace of each append: from the append until now, when its events are visible, with a
 * link to the step that folded them. Without a link, another process folded them.
 */
export const recordVisible = Effect.fnUntraced(function* (
  appends: Iterable<TracedAppend>,
  lastSteps: ReadonlyMap<number, LastStep>,
) {
  const tracer = yield* Tracer.Tracer;
  const now = yield* Clock.currentTimeMillis;
  for (const { traced, shard, appendedAt } of appends) {
    const step = lastSteps.get(shard);
    const isFoldedHere = step?.trace !== undefined && step.endedAt >= appendedAt;
    recordSpan(tracer, {
      name: "projection",
      parent: traced.trace,
      links: isFoldedHere ? [step.trace] : [],
      from: appendedAt,
      to: now,
      attributes: { "tidemark.job_id": traced.job.id, "tidemark.shard": shard },
    });
  }
});
