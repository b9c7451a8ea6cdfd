import { Cause, Effect, Exit, Fiber, Logger, Random, Scheduler } from "effect";
import { TestClock } from "effect/testing";

import { runClient } from "./client.fixture.ts";
import { complain, type Complaint } from "./complaint.fixture.ts";
import type { Conditions } from "./conditions.fixture.ts";
import { drain } from "./drain.fixture.ts";
import { startFleet } from "./fleet.fixture.ts";
import { makeInlineScheduler } from "./inline_scheduler.fixture.ts";
import { judgeAdmission } from "./oracle_admission.fixture.ts";
import { judgeJobs } from "./oracle_jobs.fixture.ts";
import { judgeLog } from "./oracle_log.fixture.ts";
import { judgeReadModels } from "./oracle_read_models.fixture.ts";
import { judgeLastReadings, judgeReadings, judgeSummaries } from "./oracle_summaries.fixture.ts";
import { NO_PLANT, type Plant } from "./plant.fixture.ts";
import { runReader } from "./reader.fixture.ts";
import { storm } from "./storm.fixture.ts";
import { makeWorld, START, type World } from "./world.fixture.ts";

/** How the world of a seed ended. */
export interface Report {
  readonly seed: number;
  readonly conditions: Conditions;
  /** What happened in it, line by line. */
  readonly trace: ReadonlyArray<string>;
  /** What was wrong in the end: nothing, unless there is a bug. */
  readonly complaints: ReadonlyArray<Complaint>;
}

/** How many read summaries at the same time. */
const READERS = 2;

/** How far the clock is moved at once. */
const TICK_MS = 250;

/**
 * Lets the world of a seed happen: processes, clients and readers while everything goes wrong that can,
 * then in peace until all is done. What is left is held against what the service promises.
 *
 * Nothing in it depends on anything but the seed: time is a `TestClock`, and all that is random, the
 * jitter of Effect's schedules included, comes from one source.
 */
export const runSeed = (seed: number, plant: Plant = NO_PLANT): Promise<Report> =>
  Effect.gen(function* () {
    yield* TestClock.setTime(START);
    const world = yield* makeWorld(seed, plant);
    const { conditions, trace, random } = world;
    const logger = Logger.make(({ logLevel, message }) => {
      trace.note("log", `${logLevel}: ${String(message)}`);
    });
    // Detached: who waits for a process that died would wait for ever.
    const played = yield* Effect.forkDetach(
      play(world).pipe(
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(Random.Random, random.service),
        Effect.provideService(Scheduler.Scheduler, makeInlineScheduler()),
      ),
    );
    while (played.pollUnsafe() === undefined) yield* TestClock.adjust(TICK_MS);
    const exit = yield* Fiber.await(played);
    const complaints = Exit.isSuccess(exit)
      ? exit.value
      : complain("everything drains", [`it breaks: ${Cause.pretty(exit.cause)}`]);
    return { seed, conditions, trace: trace.lines, complaints };
  }).pipe(Effect.provide(TestClock.layer({ warningDelay: NEVER })), Effect.runPromise);

/**
 * The clock waits no longer than this, in real time, for the fibers that it woke. On a busy machine the
 * default of a second could pass, and a trace be another one.
 */
const NEVER = "1 hour";

const play = Effect.fnUntraced(function* (world: World) {
  const fleet = yield* startFleet(world);
  const clients = yield* Effect.forEach(
    Array.from({ length: world.conditions.clients }, (_, i) => `c${i + 1}`),
    (name) => Effect.forkDetach(runClient(world, fleet, name)),
  );
  const readers = yield* Effect.forEach(
    Array.from({ length: world.conditions.reads ? READERS : 0 }),
    () => Effect.forkDetach(runReader(world, fleet)),
  );
  yield* storm(world, fleet);
  const readings = (yield* Fiber.joinAll(readers)).flat();
  yield* Fiber.joinAll(clients);

  const complaints: ReadonlyArray<Complaint> = [
    ...(yield* drain(world, fleet)),
    ...judgeAdmission(fleet),
    ...judgeLog(world),
    ...judgeReadModels(world),
    ...(yield* judgeJobs(world)),
    ...(yield* judgeSummaries(world)),
    ...judgeReadings(world, readings),
    ...(yield* judgeLastReadings(world, fleet)),
  ];
  return complaints;
});
