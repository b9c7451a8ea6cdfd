import { Effect, Fiber, Result } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { settled, simulate } from "../simulate.fixture.ts";
import { Summaries, SummariesUnavailable } from "../summary/summaries.ts";
import type { Answer } from "./answer.ts";
import { makeHorizon } from "./horizon.ts";
import { FRESH_MS, makeSummaryCache, STALENESS_MAX_MS } from "./summary_cache.ts";

const test = suite("summary cache, with the database unavailable");

const START = 1_000_000;

/** Reads an answer that only the shared store has, while the database takes long to fail. */
const askWhileAway = Effect.fnUntraced(function* (ageMs: number, awayAfterMs: number) {
  yield* TestClock.setTime(START);
  const horizon = makeHorizon();
  horizon.observe(0, 0);
  horizon.enter(1);
  const asOf = START - ageMs;
  const shared: Answer = {
    text: "kept",
    shard: 0,
    checkpoint: 0,
    generation: 1,
    asOf,
    readAt: asOf,
  };
  const cache = yield* makeSummaryCache({
    shards: 1,
    horizon,
    memory: { get: () => undefined, put: () => {} },
    store: { get: () => Effect.succeed(shared), put: () => Effect.void },
    present: () => "read",
  });
  const unavailable = Effect.fail(
    new SummariesUnavailable({ cause: "the database is unavailable" }),
  );
  const asked = yield* cache.answer({ accountId: "acme", period: "last_24h", top: 3 }).pipe(
    Effect.provideService(Summaries, {
      summary: () => Effect.delay(unavailable, awayAfterMs),
      sampleAccounts: () => unavailable,
    }),
    Effect.result,
    Effect.forkDetach,
  );
  yield* settled;
  const answer = Effect.andThen(
    TestClock.adjust(awayAfterMs),
    Effect.map(Fiber.join(asked), (given) =>
      Result.isSuccess(given) ? given.success.answer.text : given.failure._tag,
    ),
  );
  return { horizon, answer };
});

test("the cached answer is served instead, if it is not too old", () =>
  simulate(
    Effect.gen(function* () {
      const { answer } = yield* askWhileAway(FRESH_MS, STALENESS_MAX_MS - FRESH_MS - 1);
      assert.is(yield* answer, "kept");
    }),
  ));

test("an answer that became too old during the query is not served", () =>
  simulate(
    Effect.gen(function* () {
      const { answer } = yield* askWhileAway(FRESH_MS, STALENESS_MAX_MS - FRESH_MS);
      assert.is(yield* answer, "SummariesUnavailable");
    }),
  ));

test("an answer that an event invalidated during the query is not served", () =>
  simulate(
    Effect.gen(function* () {
      const { horizon, answer } = yield* askWhileAway(FRESH_MS, 1_000);
      horizon.invalidate({ shard: 0, accounts: ["acme"], lo: 0, hi: 1 });
      assert.is(yield* answer, "SummariesUnavailable");
    }),
  ));

test.run();
