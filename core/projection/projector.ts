import { Clock, Effect } from "effect";

import { invariant, present } from "../invariant.ts";
import { poll, POLL_PACE_MS, RECOVERED_AFTER_MS } from "../poll.ts";
import { type FaultReport, makeFaultReport } from "../report_faults.ts";
import { Signals } from "../signal.ts";
import { currentTrace, inNewTrace } from "../trace.ts";
import { Invalidations } from "./invalidations.ts";
import { Projection, type ProjectionUnavailable, type Step } from "./projection.ts";
import { type LastStep, recordVisible } from "./trace_visible.ts";

/**
 * The most events that one step folds. Larger steps cost less per event, but hold the lease of their shard
 * for longer (about 100 ms).
 */
export const STEP_EVENTS_MAX = 10_000;

/**
 * How many shards a process folds at the same time when it does not keep its pace. When it does, it folds one after the
 * other, which leaves a processor to requests.
 */
const LATE_CONCURRENCY = 2;

/** Folds the log into the read models, until interrupted. Any number of projectors may run. */
export const runProjector = Effect.gen(function* () {
  const projection = yield* Projection;
  const signals = yield* Signals;
  const invalidations = yield* Invalidations;

  const report = yield* makeFaultReport({
    task: "projector",
    failing: "Projector paused: the database is unavailable or refuses its statements",
    working: "Projector resumed",
    recoveredAfterMs: RECOVERED_AFTER_MS,
  });
  const nextStep = makeNextStep();
  const lastSteps = new Map<number, LastStep>();

  const stepOn = Effect.fnUntraced(
    function* (shard: number) {
      const { step, limit } = yield* nextStep(shard);
      const { projected, checkpoint, accounts } = step;
      if (projected > 0) {
        yield* invalidations.publish({
          shard,
          accounts,
          lo: checkpoint - projected,
          hi: checkpoint,
        });
        lastSteps.set(shard, {
          trace: yield* currentTrace,
          endedAt: yield* Clock.currentTimeMillis,
        });
      }
      return { shard, projected, limit };
    },
    (effect, shard) =>
      inNewTrace("projection step", { attributes: { "tidemark.shard": shard } })(effect),
  );

  let late = false;
  const pollOnce = Effect.gen(function* () {
    const since = yield* Clock.currentTimeMillis;
    // Read before `lagging`: if their shard does not lag, they are folded.
    const traced = [...signals.tracedAppends];
    const shards = yield* projection.lagging;
    const steps = yield* Effect.forEach(shards, stepOn, {
      concurrency: late ? LATE_CONCURRENCY : 1,
    });
    yield* report.worked;
    if (traced.length > 0) {
      const behind = steps.filter(({ projected, limit }) => projected === 0 || projected >= limit);
      const shardsBehind = new Set(behind.map(({ shard }) => shard));
      const visible = traced.filter(({ shard }) => !shardsBehind.has(shard));
      yield* recordVisible(visible, lastSteps);
      for (const append of visible) signals.tracedAppends.delete(append);
    }
    late = (yield* Clock.currentTimeMillis) - since > POLL_PACE_MS;
    if (steps.some(({ projected, limit }) => projected >= limit)) return "more";
    return steps.some(({ projected }) => projected > 0) ? "some" : "none";
  });

  // Always woken: the worker sets the pace, and what it appends is folded immediately.
  const steps = poll(pollOnce, signals.appended, report.failed, "always");
  return yield* Effect.raceFirst(steps, doUpkeep(report));
});

/** The pause after a poll that found no upkeep due. */
const UPKEEP_EVERY = "250 millis";

/** The pause after upkeep failed. The steps report an unavailable database sooner. */
const UPKEEP_FAILED_DELAY = "5 seconds";

/** Does upkeep alongside the steps, so that they do not wait for it. */
const doUpkeep = Effect.fnUntraced(function* (
  report: FaultReport,
): Effect.fn.Return<never, never, Projection> {
  const projection = yield* Projection;
  const once = Effect.gen(function* () {
    const wasDue = yield* projection.upkeep;
    if (!wasDue) yield* Effect.sleep(UPKEEP_EVERY);
  });
  const orWait = once.pipe(
    Effect.catch((error) =>
      Effect.andThen(report.failed(error), Effect.sleep(UPKEEP_FAILED_DELAY)),
    ),
  );
  return yield* Effect.forever(orWait);
});

/**
 * Takes one step on a shard. If a range is refused, halves it until it folds, or is the one poison event.
 * That is recorded and skipped: one poison event never blocks its shard.
 */
export const advance = (
  shard: number,
  limit: number,
): Effect.Effect<Step, ProjectionUnavailable, Projection> =>
  Effect.map(narrow(shard, limit), ({ step }) => step);

/** A step, and the limit that it was narrowed to. */
interface Narrowed {
  readonly step: Step;
  readonly limit: number;
}

const narrow = Effect.fnUntraced(function* (
  shard: number,
  limit: number,
): Effect.fn.Return<Narrowed, ProjectionUnavailable, Projection> {
  const projection = yield* Projection;
  if (limit === 1) return narrowed(yield* stepOrSkip(projection, shard), limit);
  return yield* projection.step(shard, limit).pipe(
    Effect.map((step) => narrowed(step, limit)),
    Effect.catchTag("ProjectionRefused", () => narrow(shard, Math.floor(limit / 2))),
  );
});

const narrowed = (step: Step, limit: number): Narrowed => {
  const { projected, checkpoint, accounts, oldestRecordedAt } = step;
  invariant(
    projected >= 0 && projected <= limit && projected <= checkpoint,
    `a step of at most ${limit} events folded ${projected}, up to position ${checkpoint}`,
  );
  invariant(
    projected > 0 === (oldestRecordedAt !== null) && accounts.length <= projected,
    `a step of ${projected} events reports ${accounts.length} accounts, oldest at ${oldestRecordedAt}`,
  );
  return { step, limit };
};

/**
 * Makes the function that takes the next step on a shard. After a refusal the steps start small and double, because a
 * refused range is folded in vain: if each step started with the most events, each poison event would cost several times
 * the whole backlog, while the backlog grows.
 */
const makeNextStep = () => {
  const limits = new Map<number, number>();
  return (shard: number): Effect.Effect<Narrowed, ProjectionUnavailable, Projection> =>
    Effect.tap(narrow(shard, limits.get(shard) ?? STEP_EVENTS_MAX), ({ limit }) =>
      Effect.sync(() => limits.set(shard, Math.min(limit * 2, STEP_EVENTS_MAX))),
    );
};

const stepOrSkip = Effect.fnUntraced(function* (projection: Projection["Service"], shard: number) {
  // Read before the step: checkpoints only grow, so if this is still the checkpoint when the event is skipped, the next
  // event is the one that was refused.
  const checkpoints = yield* projection.checkpoints;
  const { position: checkpoint } = present(
    checkpoints.find((one) => one.shard === shard),
    `shard ${shard} has no checkpoint`,
  );
  return yield* Effect.catchTag(projection.step(shard, 1), "ProjectionRefused", ({ cause }) =>
    Effect.gen(function* () {
      const position = checkpoint + 1;
      const skipped = yield* projection.skip(shard, position, String(cause));
      if (skipped.projected > 0) {
        yield* Effect.logError("Skipped a poison event").pipe(
          Effect.annotateLogs({ shard, position, cause: String(cause) }),
        );
      }
      return skipped;
    }),
  );
});

/** Folds everything that the log contains now. For tools and tests; the service runs `runProjector`. */
export const catchUp: Effect.Effect<void, ProjectionUnavailable, Projection> = Effect.gen(
  function* () {
    const projection = yield* Projection;
    const nextStep = makeNextStep();
    for (;;) {
      const shards = yield* projection.lagging;
      if (shards.length === 0) return;
      for (const shard of shards) yield* nextStep(shard);
    }
  },
);
