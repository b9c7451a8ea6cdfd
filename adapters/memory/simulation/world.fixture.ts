import { Clock, Effect } from "effect";

import type { TokenBuckets } from "../../../core/access/quotas.ts";
import type { Invalidations } from "../../../core/projection/invalidations.ts";
import type { AnswerStore } from "../../../core/query/answer_store.ts";
import { makeAnswerMemory, makeMemoryAnswerStore } from "../answers.ts";
import { makeMemoryTokenBuckets } from "../token_buckets.ts";
import { type Backend, makeBackend } from "./backend.fixture.ts";
import { makeBus } from "./bus.fixture.ts";
import { type Conditions, drawConditions } from "./conditions.fixture.ts";
import { type Faults, makeFaults } from "./faults.fixture.ts";
import { type Ledger, makeLedger } from "./ledger.fixture.ts";
import type { Plant } from "./plant.fixture.ts";
import { makeSeededRandom, type SeededRandom } from "./random.fixture.ts";
import { makeTrace, type Trace } from "./trace.fixture.ts";

/** What the parts of a simulated service have in common. */
export interface World {
  readonly random: SeededRandom;
  readonly conditions: Conditions;
  readonly faults: Faults;
  readonly trace: Trace;
  readonly plant: Plant;
  readonly backend: Backend;
  readonly ledger: Ledger;
  readonly bus: Invalidations["Service"];
  /** Where processes count quotas together. */
  readonly buckets: TokenBuckets;
  /** The answers that processes share. */
  readonly answers: AnswerStore["Service"];
}

/** When every world begins. */
export const START = Date.UTC(2026, 0, 31, 9, 30);

const ANSWERS_BYTES_MAX = 1_000_000;

/** The world of a seed, in which nothing happens yet. */
export const makeWorld = Effect.fnUntraced(function* (seed: number, plant: Plant) {
  const clock = yield* Clock.Clock;
  const random = makeSeededRandom(seed);
  const conditions = drawConditions(random);
  const faults = makeFaults(random, conditions);
  const backend = makeBackend(conditions, faults);
  const world: World = {
    random,
    conditions,
    faults,
    plant,
    trace: makeTrace(() => clock.currentTimeMillisUnsafe() - START),
    backend: plant.backend?.(backend) ?? backend,
    ledger: makeLedger(),
    bus: makeBus(random, faults),
    buckets: makeMemoryTokenBuckets(),
    answers: makeMemoryAnswerStore(makeAnswerMemory(ANSWERS_BYTES_MAX)),
  };
  return world;
});
