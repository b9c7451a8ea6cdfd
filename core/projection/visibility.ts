import { Clock, Effect, Tracer } from "effect";

import { shardOf } from "../event/shard.ts";
import { EventLog } from "../log/event_log.ts";
import type { Job } from "../queue/queue.ts";
import { type TracedJob, tracedOf } from "../queue/trace_jobs.ts";
import { makeFaultReport } from "../report_faults.ts";
import { makeSignal } from "../signal.ts";
import { recordSpan, type TraceContext } from "../trace.ts";
import { Projection } from "./projection.ts";

/** How long after the last take that was followed the next one is, unless a job of it is traced. */
export const FOLLOW_REST_MS = 200;

/** The most takes that are followed at the same time: while nothing is folded no more are begun. */
export const FOLLOWED_MAX = 200;

/** What is not visible after this is given up: its time until then is told, and is too long by any measure. */
export const VISIBLE_WITHIN_MS = 60_000;

/** How often the checkpoints are looked at while something is followed: by so much a time may be too long. */
export const LOOK_REST_MS = 50;

/**
 * Measures how long accepted events take to be visible: from just before they were committed to the queue
 * until the checkpoint of their shard, behind which all events count, has passed them. It follows whole takes
 * of the worker and not events: the heads of the log, read after the events of a take were appended, are positions
 * that they are at or before. So it costs a query or two five times a second, however many events there are, and
 * a time is never too short: it is too long by what was appended by others between, or by `LOOK_REST_MS`.
 */
export interface Visibility {
  /** Follows the events of jobs that were appended a moment ago. */
  readonly follow: (jobs: ReadonlyArray<Job>) => Effect.Effect<void, never, EventLog>;
  /** Takes note of a shard's checkpoint, and of the span of the step that moved it there. */
  readonly moved: (shard: number, checkpoint: number, step?: TraceContext) => void;
  /** Looks at the checkpoints while something is followed, until interrupted: others may move them. */
  readonly watch: Effect.Effect<never, never, Projection>;
}

/** Is told that so many events were visible after so many milliseconds. */
export type ObserveVisible = (ms: number, events: number) => void;

/** How far a shard is folded, and by which step. */
interface Moved {
  readonly checkpoint: number;
  /** Where it was before. */
  readonly from: number;
  /** The span of the step, if it was traced and taken here. */
  readonly step: TraceContext | undefined;
}

const UNMOVED: Moved = { checkpoint: 0, from: 0, step: undefined };

/** Events of one take and one shard. */
interface Followed {
  readonly shard: number;
  /** They are visible when the shard's checkpoint is here. */
  readonly head: number;
  /** How many there are, by when they were queued. */
  readonly events: ReadonlyMap<number, number>;
  readonly traced: ReadonlyArray<TracedJob>;
  readonly since: number;
}

export const makeVisibility = Effect.fnUntraced(function* (
  observe: ObserveVisible,
): Effect.fn.Return<Visibility> {
  const clock = yield* Clock.Clock;
  const tracer = yield* Tracer.Tracer;
  const headsRead = yield* makeFaultReport({
    task: "visibility-heads",
    failing: "The heads of the log cannot be read: how soon events are visible is not measured",
    working: "The heads of the log are read again",
  });
  const checkpointsRead = yield* makeFaultReport({
    task: "visibility-checkpoints",
    failing: "The checkpoints cannot be read: times until events are visible are measured too long",
    working: "The checkpoints are read again, to measure when events are visible",
  });
  const begun = makeSignal();
  const lastMoved = new Map<number, Moved>();
  const followed = new Set<Followed>();
  let lastBegun = Number.NEGATIVE_INFINITY;

  const end = (one: Followed, step?: TraceContext): void => {
    const now = clock.currentTimeMillisUnsafe();
    followed.delete(one);
    for (const [queuedAt, events] of one.events) observe(Math.max(0, now - queuedAt), events);
    for (const { job, trace: parent } of one.traced) {
      recordSpan(tracer, {
        name: "projection",
        parent,
        links: step === undefined ? [] : [step],
        from: one.since,
        to: now,
        attributes: { "tidemark.job_id": job.id, "tidemark.shard": one.shard },
      });
    }
  };

  const moved: Visibility["moved"] = (shard, checkpoint, step) => {
    const { checkpoint: from } = lastMoved.get(shard) ?? UNMOVED;
    if (checkpoint > from) lastMoved.set(shard, { checkpoint, from, step });
    for (const one of followed) {
      if (one.shard === shard && one.head <= checkpoint) end(one, step);
    }
  };

  const follow = Effect.fnUntraced(function* (jobs: ReadonlyArray<Job>) {
    const since = clock.currentTimeMillisUnsafe();
    const traced = tracedOf(jobs);
    const due = since - lastBegun >= FOLLOW_REST_MS && followed.size < FOLLOWED_MAX;
    if (jobs.length === 0 || (!due && traced.length === 0)) return;
    if (due) lastBegun = since;
    const log = yield* EventLog;
    const heads = new Map(
      (yield* log.heads).map(({ shard, position }) => [shard, position] as const),
    );
    for (const [shard, part] of byShard(due ? jobs : traced.map(({ job }) => job), log.shards)) {
      const one: Followed = {
        shard,
        head: heads.get(shard) ?? 0,
        // Those of a take that is followed for its traces alone would be counted too often.
        events: due ? part.events : new Map(),
        traced: traced.filter(({ job }) => part.jobs.has(job)),
        since,
      };
      followed.add(one);
      // The projector was faster: it is woken by the append, and this waited for the heads.
      const { checkpoint, from, step } = lastMoved.get(shard) ?? UNMOVED;
      if (checkpoint >= one.head) end(one, from < one.head ? step : undefined);
    }
    yield* begun.raise;
  });

  const look = Effect.gen(function* () {
    const projection = yield* Projection;
    const late = clock.currentTimeMillisUnsafe() - VISIBLE_WITHIN_MS;
    for (const one of followed) if (one.since < late) end(one);
    for (const { shard, position } of yield* projection.checkpoints) moved(shard, position);
  }).pipe(checkpointsRead.watch);

  const watch = Effect.gen(function* () {
    if (followed.size === 0) return yield* begun.wait("1 minute");
    // What this process folds by itself is known without a look.
    yield* Effect.sleep(LOOK_REST_MS);
    if (followed.size > 0) yield* look;
  });

  return { follow: (jobs) => headsRead.watch(follow(jobs)), moved, watch: Effect.forever(watch) };
});

interface Part {
  readonly events: Map<number, number>;
  readonly jobs: Set<Job>;
}

const byShard = (jobs: ReadonlyArray<Job>, shardCount: number): Map<number, Part> => {
  const shards = new Map<number, Part>();
  for (const job of jobs) {
    for (const { accountId } of job.batch.events) {
      const shard = shardOf(accountId, shardCount);
      let part = shards.get(shard);
      if (part === undefined) shards.set(shard, (part = { events: new Map(), jobs: new Set() }));
      part.events.set(job.queuedAt, (part.events.get(job.queuedAt) ?? 0) + 1);
      part.jobs.add(job);
    }
  }
  return shards;
};
