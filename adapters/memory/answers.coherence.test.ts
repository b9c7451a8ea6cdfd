import { Clock, Effect, Fiber } from "effect";
import { TestClock } from "effect/testing";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { collapse } from "../../core/event/batch.ts";
import { anEvent } from "../../core/event/event.fixture.ts";
import { shardOf } from "../../core/event/shard.ts";
import type { Invalidation } from "../../core/projection/invalidations.ts";
import { Projection } from "../../core/projection/projection.ts";
import type { Answer, AnswerStore, Question } from "../../core/query/answer.ts";
import { type Horizon, makeHorizon } from "../../core/query/horizon.ts";
import type { AccountSummary } from "../../core/query/summarise_account.ts";
import {
  makeSummaryCache,
  STALENESS_MAX_MS,
  type SummaryCache,
  type Tier,
} from "../../core/query/summary_cache.ts";
import { KNOWN_AFTER_MS, watchCheckpoints } from "../../core/query/watch_checkpoints.ts";
import { settled, simulate } from "../../core/simulate.fixture.ts";
import { Summaries } from "../../core/summary/summaries.ts";
import { summarise } from "../../core/summary/summary.ts";
import { makeAnswerMemory } from "./answers.ts";
import { makeMemoryEventLog } from "./event_log.ts";
import { makeMemoryProjection } from "./projection.ts";
import { makeMemoryStore, shardIn } from "./store.ts";
import { makeMemorySummaries } from "./summaries.ts";

const test = suite("coherence of the cache");

const SHARDS = 2;
const ACCOUNTS = ["a", "b", "c"];
const START = Date.UTC(2026, 0, 31, 9, 30);

/** What can happen to an invalidation on its way to a node. */
type Fate = "received" | "late" | "lost";

type Action =
  | { readonly _tag: "append"; readonly account: string; readonly agoMs: number }
  | {
      readonly _tag: "project";
      readonly shard: number;
      readonly limit: number;
      readonly fates: ReadonlyArray<Fate>;
    }
  | { readonly _tag: "deliver" }
  | { readonly _tag: "restartRedis" }
  | { readonly _tag: "toggleRedis" }
  | { readonly _tag: "flip" }
  | { readonly _tag: "restartNode"; readonly node: number }
  | { readonly _tag: "pass"; readonly ms: number }
  | {
      readonly _tag: "read";
      readonly node: number;
      readonly account: string;
      readonly period: "last_24h" | "last_7d";
      /** How long the read models take to return what they have read, and how long Redis takes. */
      readonly queryMs: number;
      readonly redisMs: number;
    };

const node = fc.constantFrom(0, 1);
const account = fc.constantFrom(...ACCOUNTS);
const fate: fc.Arbitrary<Fate> = fc.constantFrom("received", "received", "late", "lost");
const tagged = <Tag extends string, A>(_tag: Tag, fields: { [K in keyof A]: fc.Arbitrary<A[K]> }) =>
  fc.record({ _tag: fc.constant(_tag), ...fields });

const action = fc.oneof(
  {
    weight: 4,
    arbitrary: tagged("append", { account, agoMs: fc.constantFrom(0, 1_000, 86_399_000) }),
  },
  {
    weight: 4,
    arbitrary: tagged("project", {
      shard: fc.nat({ max: SHARDS - 1 }),
      limit: fc.constantFrom(1, 2, 1_000),
      fates: fc.tuple(fate, fate),
    }),
  },
  { weight: 1, arbitrary: tagged("deliver", {}) },
  { weight: 1, arbitrary: tagged("restartRedis", {}) },
  { weight: 1, arbitrary: tagged("toggleRedis", {}) },
  { weight: 1, arbitrary: tagged("flip", {}) },
  { weight: 1, arbitrary: tagged("restartNode", { node }) },
  {
    weight: 4,
    arbitrary: tagged("pass", { ms: fc.constantFrom(1, 30, 120, 250, 400, 1_000, 6_000, 56_000) }),
  },
  {
    weight: 16,
    arbitrary: tagged("read", {
      node,
      account,
      period: fc.constantFrom("last_24h" as const, "last_24h" as const, "last_7d" as const),
      queryMs: fc.constantFrom(0, 0, 50, 300),
      redisMs: fc.constantFrom(0, 0, 20, 90),
    }),
  },
) as fc.Arbitrary<Action>;

/** The text of a summary, which `Sent` describes. */
const present = ({ totals, ...summary }: AccountSummary): string =>
  JSON.stringify({ totals: [...totals], ...summary });
type Sent = Pick<AccountSummary, "topUsers" | "range" | "asOf" | "checkpoint" | "generation"> & {
  readonly totals: ReadonlyArray<[string, number]>;
};

interface Node {
  readonly horizon: Horizon;
  readonly cache: SummaryCache["Service"];
  readonly watch: Fiber.Fiber<never>;
  /** The position up to which each account's events were invalidated here. */
  readonly invalidated: Map<string, number>;
}

interface Given {
  readonly read: Extract<Action, { _tag: "read" }>;
  readonly askedAt: number;
  readonly givenAt: number;
  readonly invalidatedTo: number;
  readonly tier: Tier;
  readonly answer: Answer;
}

const play = Effect.fnUntraced(function* (actions: ReadonlyArray<Action>) {
  yield* TestClock.setTime(START);
  const store = makeMemoryStore(SHARDS);
  const log = makeMemoryEventLog(store);
  const projection = makeMemoryProjection(store);
  const summaries = makeMemorySummaries(store);
  const shared = new Map<string, Answer>();
  let isRedisDown = false;
  /** The commits that touched an account, with their position and time. */
  const commits: { readonly account: string; readonly position: number; readonly at: number }[] =
    [];
  /** When each generation after the first became live. */
  const flips: { readonly generation: number; readonly at: number }[] = [];
  const late: (() => void)[] = [];
  const delays = { queryMs: 0, redisMs: 0 };

  const redis: AnswerStore["Service"] = {
    get: (key) =>
      Effect.suspend(() => {
        const found = isRedisDown ? undefined : shared.get(key);
        return Effect.as(Effect.sleep(delays.redisMs), found);
      }),
    put: (key, answer) =>
      Effect.suspend(() =>
        Effect.andThen(
          Effect.sleep(delays.redisMs),
          Effect.sync(() => {
            if (!isRedisDown) shared.set(key, answer);
          }),
        ),
      ),
  };
  const slowly: Summaries["Service"] = {
    ...summaries,
    summary: (...asked) =>
      Effect.suspend(() => {
        const { queryMs } = delays;
        return Effect.tap(summaries.summary(...asked), () => Effect.sleep(queryMs));
      }),
  };
  const startNode = Effect.gen(function* () {
    const horizon = makeHorizon(3);
    const memory = makeAnswerMemory(1_000_000);
    const cache = yield* makeSummaryCache({
      shards: SHARDS,
      horizon,
      memory,
      store: redis,
      present,
    });
    const watching = Effect.provideService(watchCheckpoints(horizon), Projection, projection);
    const watch = yield* Effect.forkDetach(watching);
    yield* settled;
    const started: Node = { horizon, cache, watch, invalidated: new Map() };
    return started;
  });
  const nodes = [yield* startNode, yield* startNode];
  const nodeAt = (at: number): Node => {
    const found = nodes[at];
    if (found === undefined) throw new Error(`no node ${at}`);
    return found;
  };

  const invalidate = ({ horizon, invalidated }: Node, step: Invalidation): void => {
    horizon.invalidate(step);
    for (const touched of step.accounts) {
      invalidated.set(touched, Math.max(step.hi, invalidated.get(touched) ?? 0));
    }
  };
  const read = Effect.fnUntraced(function* (asked: Given["read"]) {
    const { cache, invalidated } = nodeAt(asked.node);
    const askedAt = yield* Clock.currentTimeMillis;
    const invalidatedTo = invalidated.get(asked.account) ?? 0;
    const question: Question = { accountId: asked.account, period: asked.period, top: 3 };
    Object.assign(delays, { queryMs: asked.queryMs, redisMs: asked.redisMs });
    const hit = cache.hit(question);
    const { answer, tier } =
      hit === undefined ? yield* cache.answer(question) : { answer: hit, tier: "lru" as const };
    const givenAt = yield* Clock.currentTimeMillis;
    return { read: asked, askedAt, givenAt, invalidatedTo, tier, answer } satisfies Given;
  });
  const reads: Fiber.Fiber<Given, unknown>[] = [];

  for (const one of actions) {
    const now = yield* Clock.currentTimeMillis;
    switch (one._tag) {
      case "append": {
        const { events } = collapse([
          anEvent({
            accountId: one.account,
            eventId: `${now}-${reads.length}-${commits.length}`,
            occurredAt: now - one.agoMs,
          }),
        ]);
        yield* log.append(shardOf(one.account, SHARDS), events);
        break;
      }
      case "project": {
        const { shard } = one;
        const { projected, checkpoint, accounts } = yield* projection.step(shard, one.limit);
        if (projected === 0) break;
        for (const touched of accounts)
          commits.push({ account: touched, position: checkpoint, at: now });
        const step = { shard, accounts, lo: checkpoint - projected, hi: checkpoint };
        for (const [at, fated] of one.fates.entries()) {
          const target = nodeAt(at);
          if (fated === "received") invalidate(target, step);
          if (fated === "late") late.push(() => invalidate(target, step));
        }
        break;
      }
      case "deliver":
        // The last one first: messages over different connections can arrive in any order.
        for (const deliver of late.splice(0).toReversed()) deliver();
        break;
      case "restartRedis":
        shared.clear();
        break;
      case "toggleRedis":
        isRedisDown = !isRedisDown;
        break;
      case "flip":
        flips.push({ generation: ++store.generation, at: now });
        break;
      case "restartNode":
        yield* Fiber.interrupt(nodeAt(one.node).watch);
        nodes[one.node] = yield* startNode;
        break;
      case "pass":
        yield* TestClock.adjust(one.ms);
        break;
      case "read":
        reads.push(yield* Effect.forkDetach(Effect.provideService(read(one), Summaries, slowly)));
        yield* settled;
        break;
    }
    yield* settled;
  }
  yield* TestClock.adjust(2_000);
  const given = yield* Effect.forEach(reads, Fiber.join);
  for (const { watch } of nodes) yield* Fiber.interrupt(watch);

  for (const one of given) {
    const { account: asked } = one.read;
    const sent = JSON.parse(one.answer.text) as Sent;
    const { totals, topUsers, range, asOf, checkpoint } = sent;
    const events = shardIn(store, shardOf(asked, SHARDS)).events;
    const about = `${one.tier} ${JSON.stringify(one.read)} ${one.answer.text}`;

    const state = events.slice(0, checkpoint).filter(({ accountId }) => accountId === asked);
    const expected = summarise(state, range, 3);
    assert.equal(
      { totals, topUsers },
      { ...expected, totals: [...expected.totals] },
      `no state of the log explains ${about}`,
    );
    for (const event of events.slice(checkpoint)) {
      assert.ok(event.recordedAt >= asOf, `it claims to include more than it does: ${about}`);
    }
    if (one.tier !== "miss") {
      assert.ok(one.askedAt - asOf < STALENESS_MAX_MS, `older than the bound: ${about}`);
    }
    assert.ok(checkpoint >= one.invalidatedTo, `it lacks an event that was invalidated: ${about}`);
    for (const { generation, at } of flips) {
      if (at > one.askedAt - KNOWN_AFTER_MS) continue;
      assert.ok(sent.generation >= generation, `it is of an earlier generation: ${about}`);
    }
    for (const { account: touched, position, at } of commits) {
      if (touched !== asked || at > one.askedAt - KNOWN_AFTER_MS) continue;
      assert.ok(checkpoint >= position, `it lacks an event whose invalidation was lost: ${about}`);
    }
  }
  return given.map(({ tier }) => tier);
});

test("whatever is lost, late, restarted or slow, no read is stale beyond the bound, wrong, or older than its node's invalidations", async () => {
  const tiers = { lru: 0, redis: 0, miss: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 80 }), async (actions) => {
      for (const tier of await simulate(play(actions))) tiers[tier]++;
    }),
    { numRuns: 60 },
  );
  // Otherwise the property would not test all tiers.
  for (const [tier, count] of Object.entries(tiers)) assert.ok(count > 2, `${tier}: ${count}`);
});

test.run();
