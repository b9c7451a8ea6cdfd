import { Effect, Result } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { simulate } from "../simulate.fixture.ts";
import { Activity, type ActivityCounts, type ActivityRequest } from "../summary/activity.ts";
import { SummariesUnavailable } from "../summary/summaries.ts";
import {
  accountTimeseries,
  COUNTS_MAX,
  POINTS_MAX,
  type TimeseriesQuery,
} from "./account_timeseries.ts";

const test = suite("accountTimeseries");

const NOW = Date.UTC(2026, 0, 31, 9, 30, 0, 123);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

type Outcome = Effect.Effect<ActivityCounts, SummariesUnavailable>;

/** Runs the query at NOW, and returns the result and what the port was asked. */
const asked = async (
  query: TimeseriesQuery,
  outcome: Outcome = Effect.succeed({ counts: [], asOf: NOW - 40 }),
) => {
  const questions: [accountId: string, request: ActivityRequest][] = [];
  const activity: Activity["Service"] = {
    counts: (...question) => {
      questions.push(question);
      return outcome;
    },
  };
  const effect = Effect.provideService(accountTimeseries("acme", query), Activity, activity);
  const result = await simulate(Effect.andThen(TestClock.setTime(NOW), Effect.result(effect)));
  return { questions, result };
};

test("the default range is the last 24 hours, or the last 30 days by day, up to now", async () => {
  for (const [interval, length, points] of [
    ["hour", DAY_MS, 25],
    ["day", 30 * DAY_MS, 31],
  ] as const) {
    const { questions, result } = await asked({ interval, range: undefined, type: null });
    const range = { from: NOW - length, to: NOW };
    assert.equal(questions, [["acme", { range, interval, type: null, countsMax: COUNTS_MAX + 1 }]]);
    const answer = Result.getOrThrow(result);
    assert.equal([answer.accountId, answer.interval, answer.range], ["acme", interval, range]);
    assert.is(answer.points.length, points);
    assert.is(answer.asOf, NOW - 40);
  }
});

test("a range and a type are passed on, and gaps are filled", async () => {
  const range = { from: NOW - 3 * HOUR_MS, to: NOW - HOUR_MS };
  const start = Date.UTC(2026, 0, 31, 7);
  const { questions, result } = await asked(
    { interval: "hour", range, type: "login" },
    Effect.succeed({ counts: [{ start, type: "login", events: 3 }], asOf: NOW }),
  );
  assert.equal([questions[0]?.[1].range, questions[0]?.[1].type], [range, "login"]);
  assert.equal(
    Result.getOrThrow(result).points.map(({ totals }) => [...totals]),
    [[["login", 0]], [["login", 3]], [["login", 0]]],
  );
});

test("too many types for every point are refused", async () => {
  const range = { from: 0, to: POINTS_MAX * HOUR_MS };
  const query = { interval: "hour", range, type: null } as const;
  const types = (length: number): Outcome =>
    Effect.succeed({
      counts: Array.from({ length }, (_, i) => ({ start: 0, type: `type_${i}`, events: 1 })),
      asOf: NOW,
    });
  const fits = COUNTS_MAX / POINTS_MAX;
  assert.ok(Result.isSuccess((await asked(query, types(fits))).result));
  for (const length of [fits + 1, COUNTS_MAX + 1]) {
    const { result } = await asked(query, types(length));
    assert.is(Result.isFailure(result) ? result.failure._tag : "", "TimeseriesTooLarge");
  }
});

test("unavailable counts are reported as such", async () => {
  const error = new SummariesUnavailable({ cause: "unavailable" });
  const query = { interval: "hour", range: undefined, type: null } as const;
  const { result } = await asked(query, Effect.fail(error));
  assert.is(Result.isFailure(result) ? result.failure : undefined, error);
});

test.run();
