import { Clock, Effect, Fiber, Option, Result } from "effect";

import { shardOf } from "../../../core/event/shard.ts";
import type { Question } from "../../../core/query/answer.ts";
import { SummaryCache, type Tier } from "../../../core/query/summary_cache.ts";
import { WINDOW_NAMES } from "../../../core/summary/window.ts";
import type { Fleet } from "./fleet.fixture.ts";
import type { Process } from "./process.fixture.ts";
import { readSummary, type SentSummary } from "./summary_text.fixture.ts";
import type { World } from "./world.fixture.ts";

/** A summary that somebody was given. */
export interface Reading {
  readonly tier: Tier;
  readonly askedAt: number;
  /** The checkpoint of its shard that the process knew of when it was asked. */
  readonly known: number;
  readonly summary: SentSummary;
}

/** How many users each summary names: fewer than there are. */
export const TOP = 3;

/** How long a reader waits. When it comes again it then meets what it has left under way. */
const PATIENCE_MS = { min: 50, max: 3_000 };

/** Reads summaries until the storm is over, and returns those that it got. */
export const runReader = Effect.fnUntraced(function* (world: World, fleet: Fleet) {
  const { random, faults, conditions } = world;
  const readings: Reading[] = [];
  while (!faults.isOver()) {
    yield* Effect.sleep(random.magnitude(5, 200));
    const process = fleet.any();
    if (process === undefined) continue;
    const question: Question = {
      accountId: random.pick(conditions.accounts),
      period: random.pick(WINDOW_NAMES),
      top: TOP,
    };
    const patienceMs = random.magnitude(PATIENCE_MS.min, PATIENCE_MS.max);
    const reading = yield* read(world, process, question, patienceMs);
    if (reading !== undefined) readings.push(reading);
  }
  return readings;
});

/** Asks a process for a summary as a request would; undefined when it gives none in time. */
export const read = Effect.fnUntraced(function* (
  { conditions }: World,
  process: Process,
  question: Question,
  patienceMs: number,
) {
  const askedAt = yield* Clock.currentTimeMillis;
  const known = process.knows(shardOf(question.accountId, conditions.shards));
  const handler = yield* process.handle(
    Effect.result(Effect.flatMap(SummaryCache, (cache) => cache.answer(question))),
  );
  const given = Option.getOrUndefined(yield* Effect.timeoutOption(Fiber.join(handler), patienceMs));
  if (given === undefined || Result.isFailure(given)) return undefined;
  const { answer, tier } = given.success;
  return { tier, askedAt, known, summary: readSummary(answer.text) } satisfies Reading;
});
