import { Clock, Effect, Fiber, Option, Result } from "effect";

import { shardOf } from "../../../core/event/shard.ts";
import type { Question } from "../../../core/query/answer.ts";
import { SummaryCache, type Tier } from "../../../core/query/summary_cache.ts";
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

const PATIENCE_MS = 2_000;

/** Reads summaries until the storm is over, and returns those that it got. */
export const runReader = Effect.fnUntraced(function* (world: World, fleet: Fleet) {
  const { random, faults, conditions } = world;
  const readings: Reading[] = [];
  while (!faults.isOver()) {
    yield* Effect.sleep(random.magnitude(20, 500));
    const process = fleet.any();
    if (process === undefined) continue;
    const reading = yield* read(world, process, {
      accountId: random.pick(conditions.accounts),
      period: random.pick(["last_24h", "last_7d"]),
      top: TOP,
    });
    if (reading !== undefined) readings.push(reading);
  }
  return readings;
});

/** Asks a process for a summary as a request would; undefined when it gives none in time. */
export const read = Effect.fnUntraced(function* (
  { conditions }: World,
  process: Process,
  question: Question,
) {
  const askedAt = yield* Clock.currentTimeMillis;
  const known = process.knows(shardOf(question.accountId, conditions.shards));
  const handler = yield* process.handle(
    Effect.result(Effect.flatMap(SummaryCache, (cache) => cache.answer(question))),
  );
  const given = Option.getOrUndefined(
    yield* Effect.timeoutOption(Fiber.join(handler), PATIENCE_MS),
  );
  if (given === undefined || Result.isFailure(given)) return undefined;
  const { answer, tier } = given.success;
  return { tier, askedAt, known, summary: readSummary(answer.text) } satisfies Reading;
});
