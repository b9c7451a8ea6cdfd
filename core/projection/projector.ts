import { Clock, Effect } from "effect";

import { BACK_AFTER_MS, poll, POLL_PACE_MS } from "../poll.ts";
import { type FaultReport, makeFaultReport } from "../report_faults.ts";
import { Signals } from "../signal.ts";
import { inNewTrace } from "../trace.ts";
import { Invalidations } from "./invalidations.ts";
import { Projection, type ProjectionUnavailable, type Step } from "./projection.ts";

/**
 * The most events that one step folds. Larger steps cost less by the event when catching up; this
 * bounds how long a step holds its shard's lease (some 100 ms).
 */
export const STEP_EVENTS_MAX = 10_000;

/**
 * How many shards one process folds at the same time when it does not keep its pace. When it does, it folds one
 * after the other, which leaves a processor to whoever waits for an answer.
 */
const LATE_AT_ONCE = 2;

/** Keeps the read models up with the log, until interrupted. Any number of projectors may run. */
export const runProjector = Effect.gen(function* () {
  const projection = yield* Projection;
  const signals = yield* Signals;
  const invalidations = yield* Invalidations;

  const report = yield* makeFaultReport({
    task: "projector",
    failing: "The projector waits: the database is away or refuses",
    working: "The projector goes on",
    backAfterMs: BACK_AFTER_MS,
  });
  const take = makeStepping();

  const stepOn = (shard: number) =>
    Effect.tap(take(shard), ({ step: { projected, checkpoint, accounts } }) =>
      projected === 0
        ? Effect.void
        : invalidations.publish({ shard, accounts, lo: checkpoint - projected, hi: checkpoint }),
    ).pipe(inNewTrace("projection step", { attributes: { "tidemark.shard": shard } }));

  let late = false;
  const look = Effect.gen(function* () {
    const since = yield* Clock.currentTimeMillis;
    const shards = yield* projection.lagging;
    const steps = yield* Effect.forEach(shards, stepOn, { concurrency: late ? LATE_AT_ONCE : 1 });
    yield* report.worked;
    late = (yield* Clock.currentTimeMillis) - since > POLL_PACE_MS;
    if (steps.some(({ step, limit }) => step.projected >= limit)) return "more";
    return steps.some(({ step }) => step.projected > 0) ? "some" : "none";
  });

  // Always woken: what a worker has appended at its pace is folded then, and does not wait for a pace of its own.
  const steps = poll(look, signals.appended, report.failed, "always");
  return yield* Effect.raceFirst(steps, keepUp(report));
});

/** How long to wait before asking again whether there is upkeep to do. */
const UPKEEP_EVERY = "250 millis";

/** How long upkeep waits after it failed: a database that is away is told by the steps, too. */
const UPKEEP_AWAY = "5 seconds";

/** Does what upkeep is due, beside the steps: freshness does not wait for it. */
const keepUp = Effect.fnUntraced(function* (
  report: FaultReport,
): Effect.fn.Return<never, never, Projection> {
  const projection = yield* Projection;
  const once = Effect.gen(function* () {
    const kept = yield* projection.upkeep;
    if (!kept) yield* Effect.sleep(UPKEEP_EVERY);
  });
  const orWait = once.pipe(
    Effect.catch((error) => Effect.andThen(report.failed(error), Effect.sleep(UPKEEP_AWAY))),
  );
  return yield* Effect.forever(orWait);
});

/**
 * Takes one step on a shard. When a range is refused, halves it until it folds or is the one poison
 * event, which is recorded and skipped: one bad event never blocks its shard.
 */
export const advance = (
  shard: number,
  limit: number,
): Effect.Effect<Step, ProjectionUnavailable, Projection> =>
  Effect.map(narrow(shard, limit), ({ step }) => step);

/** A step, and the limit that it came down to. */
interface Narrowed {
  readonly step: Step;
  readonly limit: number;
}

const narrow = Effect.fnUntraced(function* (
  shard: number,
  limit: number,
): Effect.fn.Return<Narrowed, ProjectionUnavailable, Projection> {
  const projection = yield* Projection;
  if (limit === 1) return { step: yield* stepOrSkip(projection, shard), limit };
  return yield* projection.step(shard, limit).pipe(
    Effect.map((step): Narrowed => ({ step, limit })),
    Effect.catchTag("ProjectionRefused", () => narrow(shard, Math.floor(limit / 2))),
  );
});

/**
 * Makes what takes the next step on a shard. After a refusal the steps begin small and double, because
 * what is refused was folded in vain: with steps that always began at the most, each poison event would
 * cost several times the whole backlog, and the backlog would grow meanwhile.
 */
const makeStepping = () => {
  const limits = new Map<number, number>();
  return (shard: number): Effect.Effect<Narrowed, ProjectionUnavailable, Projection> =>
    Effect.tap(narrow(shard, limits.get(shard) ?? STEP_EVENTS_MAX), ({ limit }) =>
      Effect.sync(() => limits.set(shard, Math.min(limit * 2, STEP_EVENTS_MAX))),
    );
};

const stepOrSkip = Effect.fnUntraced(function* (projection: Projection["Service"], shard: number) {
  // Before the step: checkpoints only grow, so if this is still the checkpoint when it comes to
  // skipping, the event behind it is the one that was refused.
  const checkpoints = yield* projection.checkpoints;
  const checkpoint = checkpoints.find((one) => one.shard === shard)?.position ?? 0;
  return yield* Effect.catchTag(projection.step(shard, 1), "ProjectionRefused", ({ cause }) =>
    Effect.gen(function* () {
      const position = checkpoint + 1;
      const skipped = yield* projection.skip(shard, position, String(cause));
      if (skipped.projected > 0) {
        yield* Effect.logError("An event is poisoned and was skipped").pipe(
          Effect.annotateLogs({ shard, position, cause: String(cause) }),
        );
      }
      return skipped;
    }),
  );
});

/** Folds everything that is in the log now. For tools and tests; the service runs `runProjector`. */
export const catchUp: Effect.Effect<void, ProjectionUnavailable, Projection> = Effect.gen(
  function* () {
    const projection = yield* Projection;
    const take = makeStepping();
    for (;;) {
      const shards = yield* projection.lagging;
      if (shards.length === 0) return;
      for (const shard of shards) yield* take(shard);
    }
  },
);
