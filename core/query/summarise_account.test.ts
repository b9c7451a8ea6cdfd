import { Effect, Result } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { simulate } from "../simulate.fixture.ts";
import type { Range } from "../summary/range.ts";
import { Summaries, SummariesUnavailable } from "../summary/summaries.ts";
import type { Summary } from "../summary/summary.ts";
import {
  type Period,
  summariseAccount,
  TOP_USERS_DEFAULT,
  TOP_USERS_MAX,
} from "./summarise_account.ts";

const test = suite("summariseAccount");

const NOW = Date.UTC(2026, 0, 31, 9, 30, 0, 123);
const DAY_MS = 86_400_000;
const SUMMARY: Summary = {
  totals: new Map([["login", 2]]),
  topUsers: [{ userId: "ada", events: 2 }],
  asOf: NOW - 40,
  checkpoint: 7,
  generation: 1,
};

/** Runs the query at NOW, and returns the result and what the port was asked. */
const asked = async (
  period: Period,
  top = 10,
  outcome: Effect.Effect<Summary, SummariesUnavailable> = Effect.succeed(SUMMARY),
) => {
  const questions: [accountId: string, range: Range, top: number][] = [];
  const summaries: Summaries["Service"] = {
    summary: (...question) => {
      questions.push(question);
      return outcome;
    },
    sampleAccounts: () => Effect.die("not asked for"),
  };
  const query = Effect.provideService(summariseAccount("acme", period, top), Summaries, summaries);
  const result = await simulate(Effect.andThen(TestClock.setTime(NOW), Effect.result(query)));
  return { questions, result };
};

test("a window ends at the service's clock, and the answer contains its range", async () => {
  for (const [window, days] of [
    ["last_24h", 1],
    ["last_7d", 7],
  ] as const) {
    const { questions, result } = await asked(window, 3);
    const range = { from: NOW - days * DAY_MS, to: NOW };
    assert.equal(questions, [["acme", range, 3]]);
    assert.equal(Result.getOrThrow(result), { accountId: "acme", window, range, ...SUMMARY });
  }
});

test("any other range is passed on, and the answer calls it custom", async () => {
  const range = { from: 5, to: 7 };
  const { questions, result } = await asked(range);
  assert.equal(questions, [["acme", range, 10]]);
  assert.equal(Result.getOrThrow(result), {
    accountId: "acme",
    window: "custom",
    range,
    ...SUMMARY,
  });
});

test("unavailable summaries are reported as such", async () => {
  const error = new SummariesUnavailable({ cause: "unavailable" });
  const { result } = await asked("last_24h", 10, Effect.fail(error));
  assert.is(Result.isFailure(result) ? result.failure : undefined, error);
});

test("the limits on the users of a summary are those of the contract", () => {
  assert.equal([TOP_USERS_DEFAULT, TOP_USERS_MAX], [10, 100]);
});

test.run();
