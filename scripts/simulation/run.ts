import { Cause, Effect, Exit, Fiber, Logger, Option, Random, Scheduler } from "effect";
import { TestClock } from "effect/testing";

import { POLL_FOLLOW_MS } from "../../core/poll.ts";
import type { JobId } from "../../core/queue/queue.ts";
import { runReader, runWriter } from "./clients.ts";
import { type Conditions, LEASE_MS } from "./conditions.ts";
import { storm } from "./faults.ts";
import {
  checkAdmission,
  checkJobs,
  checkLog,
  checkReadModels,
  type Violation,
  violations,
} from "./oracle.ts";
import { checkLastReadings, checkReadings, checkSummaries } from "./oracle_summaries.ts";
import { NO_PLANT, type Plant } from "./planted_bugs.ts";
import { type Fleet, startFleet } from "./process.ts";
import { makeWorld, START, type World } from "./world.ts";

/** How the run of a seed ended. */
export interface Report {
  readonly seed: number;
  readonly conditions: Conditions;
  readonly history: ReadonlyArray<string>;
  /** The promises that were broken: none, unless there is a bug. */
  readonly violations: ReadonlyArray<Violation>;
}

/** How many clients read summaries at the same time. */
const READERS = 2;

/** By how much the clock advances at a time. */
const TICK_MS = 250;

/**
 * The real time that the test clock waits for the fibers that it woke. With its default of one second a busy machine
 * could change the history.
 */
const CLOCK_PATIENCE = "1 hour";

/**
 * Runs the world of a seed: processes, writers and readers while faults happen, then without faults until all work is
 * done. Then checks the result against the promises of the service.
 *
 * Only the seed decides what happens: time is a `TestClock`, and all randomness, the jitter of Effect's schedules
 * included, comes from one source.
 */
export const runSeed = (seed: number, plant: Plant = NO_PLANT): Promise<Report> =>
  Effect.gen(function* () {
    yield* TestClock.setTime(START);
    const world = yield* makeWorld(seed, plant);
    const { conditions, history, random } = world;
    const logger = Logger.make(({ logLevel, message }) => {
      history.note("log", `${logLevel}: ${String(message)}`);
    });
    // Detached, because fibers that wait for a dead process never end.
    const played = yield* Effect.forkDetach(
      play(world).pipe(
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(Random.Random, random.service),
        Effect.provideService(Scheduler.Scheduler, makeInlineScheduler()),
      ),
    );
    while (played.pollUnsafe() === undefined) yield* TestClock.adjust(TICK_MS);
    const exit = yield* Fiber.await(played);
    const found = Exit.isSuccess(exit)
      ? exit.value
      : violations("everything drains", [`the run failed: ${Cause.pretty(exit.cause)}`]);
    return { seed, conditions, history: history.lines, violations: found };
  }).pipe(Effect.provide(TestClock.layer({ warningDelay: CLOCK_PATIENCE })), Effect.runPromise);

/** A failed run for a person to read: conditions, history and broken promises. */
export const describeFailure = ({ seed, conditions, history, violations: found }: Report): string =>
  [
    `seed ${seed}, conditions ${JSON.stringify(conditions, undefined, 2)}`,
    ...history,
    "",
    ...found.map(({ rule, detail }) => `BROKEN: ${rule}: ${detail}`),
  ].join("\n");

const play = Effect.fnUntraced(function* (world: World) {
  const fleet = yield* startFleet(world);
  const writers = yield* Effect.forEach(
    Array.from({ length: world.conditions.clients }, (_, i) => `c${i + 1}`),
    (name) => Effect.forkDetach(runWriter(world, fleet, name)),
  );
  const readers = yield* Effect.forEach(
    Array.from({ length: world.conditions.reads ? READERS : 0 }),
    () => Effect.forkDetach(runReader(world, fleet)),
  );
  yield* storm(world, fleet);
  const readings = (yield* Fiber.joinAll(readers)).flat();
  yield* Fiber.joinAll(writers);

  const found: ReadonlyArray<Violation> = [
    ...(yield* drain(world, fleet)),
    ...checkAdmission(fleet),
    ...checkLog(world),
    ...checkReadModels(world),
    ...(yield* checkJobs(world)),
    ...(yield* checkSummaries(world)),
    ...checkReadings(world, readings),
    ...(yield* checkLastReadings(world, fleet)),
  ];
  return found;
});

const DRAIN_POLL_MS = 100;

/**
 * How long the remaining work may take without faults. Leases may have to expire twice, and a loop that got a partial
 * result waits before it polls again: with the smallest fetches and steps, every event can cost one such wait of each.
 */
const drainWithinMs = ({ ledger }: World): number =>
  20_000 + 2 * LEASE_MS + 2 * POLL_FOLLOW_MS * ledger.events.length;

/** How long late attempts and stale leases get to do harm after that. */
const REST_MS = 1_000;

/** Waits until all jobs have ended and all events are folded, and reports what never does. */
const drain = Effect.fnUntraced(function* (world: World, fleet: Fleet) {
  const { faults, conditions, backend } = world;
  const ended = new Set<JobId>();
  const isDrained = Effect.gen(function* () {
    for (const id of backend.jobs.keys()) {
      if (!ended.has(id) && (yield* hasEnded(world, id))) ended.add(id);
    }
    return (
      ended.size === backend.jobs.size &&
      backend.store.shards.every(({ events, checkpoint }) => checkpoint === events.length)
    );
  });
  // Stalled calls still complete, and frozen processes still handle requests. Neither may do harm.
  const isCalm = Effect.sync(
    () =>
      faults.inFlight() === 0 &&
      [...fleet.running(), ...fleet.stopped()].every((process) => !process.isFrozen()),
  );
  const calmed = yield* eventually(isCalm, 3 * conditions.stallMaxMs);
  const withinMs = drainWithinMs(world);
  const drained = calmed && (yield* eventually(isDrained, withinMs));
  yield* Effect.sleep(REST_MS);

  const undrained = drained ? [] : [`not within ${withinMs} ms after the last fault`];
  const dead = fleet
    .running()
    .flatMap((process) =>
      process.endedLoops().map((loop) => `the ${loop} of ${process.name} ended`),
    );
  const unstopped = fleet
    .stopped()
    .filter((process) => process.endedLoops().length < process.loops)
    .map((process) => `${process.name} did not shut down`);
  return violations("everything drains", [...undrained, ...dead, ...unstopped]);
});

const hasEnded = ({ backend }: World, id: JobId): Effect.Effect<boolean> =>
  Effect.map(Effect.orDie(backend.queue.find(id)), (found) =>
    Option.exists(found, ({ state }) => state === "completed" || state === "dead"),
  );

const eventually = Effect.fnUntraced(function* (
  condition: Effect.Effect<boolean>,
  withinMs: number,
) {
  for (let waitedMs = 0; waitedMs <= withinMs; waitedMs += DRAIN_POLL_MS) {
    if (yield* condition) return true;
    yield* Effect.sleep(DRAIN_POLL_MS);
  }
  return false;
});

/**
 * Runs what a fiber schedules right after the current task, in order, instead of in a later turn of the event loop. When
 * a `TestClock` wakes a fiber, everything that follows has happened before the clock advances: this is exact, and several
 * times as fast as waiting for it.
 */
const makeInlineScheduler = (): Scheduler.Scheduler => {
  const tasks: (() => void)[] = [];
  let running = false;
  const flush = (): void => {
    if (running) return;
    running = true;
    try {
      for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task();
    } finally {
      running = false;
    }
  };
  return {
    executionMode: "sync",
    // Fibers switch only where they wait.
    shouldYield: () => false,
    makeDispatcher: () => ({
      scheduleTask: (task) => {
        tasks.push(task);
        flush();
      },
      flush,
    }),
  };
};
