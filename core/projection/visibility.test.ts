import { Effect } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { anEvent } from "../event/event.fixture.ts";
import { shardOf } from "../event/shard.ts";
import { EventLog, LogUnavailable } from "../log/event_log.ts";
import type { Job } from "../queue/queue.ts";
import { simulate } from "../simulate.fixture.ts";
import { keepSpans } from "../trace.fixture.ts";
import type { TraceContext } from "../trace.ts";
import { makeFakeProjection } from "./projection.fixture.ts";
import { Projection } from "./projection.ts";
import {
  FOLLOW_REST_MS,
  FOLLOWED_MAX,
  LOOK_REST_MS,
  makeVisibility,
  VISIBLE_WITHIN_MS,
} from "./visibility.ts";

const test = suite("visibility");

const SHARDS = 4;
/** Accounts by the shard that they are on. */
const accountOn = (shard: number): string =>
  Array.from({ length: 1_000 }, (_, i) => `account-${i}`).find(
    (accountId) => shardOf(accountId, SHARDS) === shard,
  ) ?? "";

/** Of a traced request, and of a step of the projector. */
const TRACE: TraceContext = { traceId: "a".repeat(32), spanId: "b".repeat(16) };
const STEP: TraceContext = { traceId: "c".repeat(32), spanId: "d".repeat(16) };

let events = 0;
const aJob = (queuedAt: number, accounts: ReadonlyArray<string>, trace?: TraceContext): Job => ({
  id: `job-${++events}`,
  batch: {
    events: accounts.map((accountId) => anEvent({ accountId, eventId: `${++events}` })),
    duplicates: 0,
    conflicts: 0,
  },
  retries: 0,
  queuedAt,
  trace,
});

/** A visibility over a log whose heads and a projection whose checkpoints are as a test sets them. */
const setUp = Effect.fnUntraced(function* () {
  const seen: Array<readonly [ms: number, events: number]> = [];
  const { spans, traced } = keepSpans();
  const projection = makeFakeProjection([0, 0, 0, 0]);
  const heads = [0, 0, 0, 0];
  const log = { away: false, asked: 0 };
  const service: EventLog["Service"] = {
    shards: SHARDS,
    append: () => Effect.die("not needed"),
    read: () => Effect.die("not needed"),
    heads: Effect.suspend(() => {
      log.asked++;
      return log.away
        ? Effect.fail(new LogUnavailable({ cause: "away" }))
        : Effect.succeed(heads.map((position, shard) => ({ shard, position })));
    }),
  };
  const made = yield* makeVisibility((ms, count) => seen.push([ms, count])).pipe(traced);
  yield* Effect.forkDetach(Effect.provideService(made.watch, Projection, projection.service));
  const follow = (...jobs: ReadonlyArray<Job>) =>
    Effect.provideService(made.follow(jobs), EventLog, service);
  return { seen, spans, projection, heads, log, follow, moved: made.moved };
});

test("events are visible when the checkpoint of their shard has passed the head of their append", () =>
  simulate(
    Effect.gen(function* () {
      const { seen, heads, follow, moved } = yield* setUp();
      yield* TestClock.adjust("1 second");
      heads[1] = 7;
      heads[2] = 3;
      const [one, two] = [accountOn(1), accountOn(2)];
      yield* follow(aJob(900, [one, one, two]), aJob(950, [one]));
      moved(1, 6);
      assert.equal(seen, []);
      yield* TestClock.adjust(10);
      moved(1, 8);
      assert.equal(seen, [
        [110, 2],
        [60, 1],
      ]);
      yield* TestClock.adjust(10);
      moved(2, 3);
      assert.equal(seen.slice(2), [[120, 1]]);
      moved(2, 9);
      assert.is(seen.length, 3, "something was told twice");
    }),
  ));

test("what was folded before the heads were known is told at once, with the step that folded it", () =>
  simulate(
    Effect.gen(function* () {
      const { seen, spans, heads, follow, moved } = yield* setUp();
      const linkedOf = (at: number) => spans[at]?.links.map(({ span }) => span.spanId);
      const traced = () => aJob(0, [accountOn(1)], TRACE);
      heads[1] = 7;
      moved(1, 7, STEP);
      yield* TestClock.adjust(30);
      yield* follow(traced());
      assert.equal(seen, [[30, 1]]);
      assert.equal(linkedOf(0), [STEP.spanId]);
      moved(1, 9, STEP);
      yield* follow(traced());
      assert.equal(
        linkedOf(1),
        [],
        "the step that came after it was taken for the one that folded it",
      );
    }),
  ));

test("what another process folds is seen by looking at the checkpoints, while something is followed", () =>
  simulate(
    Effect.gen(function* () {
      const { seen, heads, projection, follow } = yield* setUp();
      heads[1] = 7;
      yield* follow(aJob(0, [accountOn(1)]));
      yield* TestClock.adjust("1 second");
      assert.equal(seen, []);
      projection.checkpoints[1] = 7;
      yield* TestClock.adjust(LOOK_REST_MS);
      assert.is(seen.length, 1);
      assert.ok((seen[0]?.[0] ?? 0) <= 1_000 + LOOK_REST_MS);
    }),
  ));

test("takes that come close together are not all followed, but those with a traced job are", () =>
  simulate(
    Effect.gen(function* () {
      const { seen, spans, heads, log, follow, moved } = yield* setUp();
      heads[1] = 1;
      const account = accountOn(1);
      yield* TestClock.adjust("1 second");
      yield* follow(aJob(0, [account]));
      yield* follow(aJob(0, [account]));
      assert.is(log.asked, 1);
      yield* follow(aJob(0, [account]), aJob(0, [account], TRACE));
      assert.is(log.asked, 2);
      moved(1, 1, STEP);
      assert.equal(seen, [[1_000, 1]], "a take that was followed for its trace was measured");
      const [span] = spans;
      assert.is(span?.name, "projection");
      assert.is(span?.traceId, TRACE.traceId);
      assert.equal(
        span?.links.map((link) => link.span.spanId),
        [STEP.spanId],
      );
      yield* TestClock.adjust(FOLLOW_REST_MS);
      yield* follow(aJob(0, [account]));
      assert.is(log.asked, 3);
    }),
  ));

test("what is never folded is given up, and counts as too late", () =>
  simulate(
    Effect.gen(function* () {
      const { seen, heads, projection, follow } = yield* setUp();
      heads[1] = 7;
      yield* follow(aJob(0, [accountOn(1)]));
      yield* TestClock.adjust(VISIBLE_WITHIN_MS);
      assert.equal(seen, []);
      projection.away = true;
      yield* TestClock.adjust(2 * LOOK_REST_MS);
      assert.is(seen.length, 1);
      assert.ok((seen[0]?.[0] ?? 0) > VISIBLE_WITHIN_MS);
    }),
  ));

test("while nothing is folded only so much is followed", () =>
  simulate(
    Effect.gen(function* () {
      const { heads, log, follow } = yield* setUp();
      heads[1] = 7;
      for (let i = 0; i < FOLLOWED_MAX + 50; i++) {
        yield* follow(aJob(0, [accountOn(1)]));
        yield* TestClock.adjust(FOLLOW_REST_MS);
      }
      assert.is(log.asked, FOLLOWED_MAX);
    }),
  ));

test("a log that is away is not waited for", () =>
  simulate(
    Effect.gen(function* () {
      const { seen, log, follow, moved } = yield* setUp();
      log.away = true;
      yield* follow(aJob(0, [accountOn(1)]));
      moved(1, 1);
      assert.equal(seen, []);
    }),
  ));

test("heads and checkpoints that cannot be read are reported when that begins and when it ends", () => {
  const logged: string[] = [];
  return simulate(
    Effect.gen(function* () {
      const { heads, log, projection, follow } = yield* setUp();
      heads[1] = 7;
      yield* follow(aJob(0, [accountOn(1)]));
      projection.away = true;
      for (let i = 0; i < 5; i++) yield* TestClock.adjust(2 * LOOK_REST_MS);
      assert.is(logged.length, 1, logged.join());
      assert.match(logged[0] ?? "", /^Warn: The checkpoints cannot be read/);
      projection.away = false;
      for (let i = 0; i < 5; i++) yield* TestClock.adjust(2 * LOOK_REST_MS);
      assert.match(logged.slice(1).join(), /^Info: The checkpoints are read again[^;]*$/);
      log.away = true;
      for (let i = 0; i < 3; i++) {
        yield* TestClock.adjust(FOLLOW_REST_MS);
        yield* follow(aJob(0, [accountOn(1)]));
      }
      assert.match(logged.slice(2).join(";"), /^Warn: The heads of the log cannot be read[^;]*$/);
      log.away = false;
      yield* TestClock.adjust(FOLLOW_REST_MS);
      yield* follow(aJob(0, [accountOn(1)]));
      assert.equal(logged.slice(3), ["Info: The heads of the log are read again"]);
    }),
    logged,
  );
});

test.run();
