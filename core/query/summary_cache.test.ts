import { Deferred, Effect, Fiber, Result } from "effect";
import { TestClock } from "effect/testing";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { Client } from "../access/principal.ts";
import { settled, simulate } from "../simulate.fixture.ts";
import { Summaries, SummariesUnavailable } from "../summary/summaries.ts";
import type { Answer, Question } from "./answer.ts";
import { makeHorizon } from "./horizon.ts";
import { FRESH_MS, JOINED_MS_MAX, makeSummaryCache, STALENESS_MAX_MS } from "./summary_cache.ts";

const test = suite("summary cache");

const SHARD = 0;
const question: Question = { accountId: "acme", period: "last_24h", top: 10 };

/**
 * A cache over read models that a test moves, with both tiers laid open.
 *
 * @param known whether their checkpoint is known from the beginning
 */
const open = Effect.fnUntraced(function* (known: boolean) {
  const models = {
    checkpoint: 1,
    generation: 1,
    reads: 0,
    /** The clients that reads ran for. */
    readBy: [] as string[],
    /** How many reads were interrupted. */
    ended: 0,
    unavailable: false,
    /** The lag of the projection, in milliseconds. */
    lag: 0,
    /** Delays reads until it is done. */
    held: undefined as Deferred.Deferred<void> | undefined,
  };
  const summaries: Summaries["Service"] = {
    summary: Effect.fnUntraced(function* () {
      models.reads++;
      models.readBy.push(yield* Client);
      if (models.unavailable) return yield* new SummariesUnavailable({ cause: "unavailable" });
      const { checkpoint, generation } = models;
      const asOf = (yield* Effect.clockWith((clock) => clock.currentTimeMillis)) - models.lag;
      if (models.held !== undefined) {
        yield* Deferred.await(models.held).pipe(
          Effect.onInterrupt(() => Effect.sync(() => models.ended++)),
        );
      }
      const totals = new Map([["login", checkpoint]]);
      return { totals, topUsers: [], asOf, checkpoint, generation };
    }),
    sampleAccounts: () => Effect.die("not asked for"),
  };
  const memory = new Map<string, Answer>();
  const shared = new Map<string, Answer>();
  const horizon = makeHorizon();
  horizon.enter(models.generation);
  if (known) horizon.observe(SHARD, models.checkpoint);
  const cache = yield* makeSummaryCache({
    shards: 1,
    horizon,
    memory: { get: (key) => memory.get(key), put: (key, answer) => void memory.set(key, answer) },
    store: {
      get: (key) => Effect.sync(() => shared.get(key)),
      put: (key, answer) => Effect.sync(() => void shared.set(key, answer)),
    },
    present: ({ totals }) => String(totals.get("login")),
  });
  const ask = (asked = question) =>
    cache.answer(asked).pipe(
      Effect.provideService(Summaries, summaries),
      Effect.tap(settled),
      Effect.map(({ answer, tier }) => `${answer.text} ${tier}`),
    );
  /** A step of the projection that touches accounts, and its invalidation. */
  const step = (...accounts: ReadonlyArray<string>): void => {
    const lo = models.checkpoint++;
    horizon.invalidate({ shard: SHARD, accounts, lo, hi: models.checkpoint });
  };
  return { models, memory, shared, cache, ask, step, enter: horizon.enter };
});

type Opened = Effect.Success<ReturnType<typeof open>>;
const run =
  (body: (opened: Opened) => Effect.Effect<void, unknown>, known = true) =>
  () =>
    simulate(Effect.andThen(TestClock.setTime(1_000_000), Effect.flatMap(open(known), body)));

test(
  "a summary that was read once is served from memory, and counted by its tier",
  run(({ cache, ask, models }) =>
    Effect.gen(function* () {
      assert.is(cache.hit(question), undefined);
      assert.is(yield* ask(), "1 miss");
      assert.is(yield* ask(), "1 lru");
      assert.is(cache.hit(question)?.text, "1");
      assert.is(cache.hit({ ...question, top: 11 }), undefined);
      assert.is(models.reads, 1);
      assert.equal(cache.counts, { lru: 2, redis: 0, miss: 1 });
    }),
  ),
);

test(
  "a summary that another process has read is served from the store, and then from memory",
  run(({ memory, ask, cache }) =>
    Effect.gen(function* () {
      yield* ask();
      memory.clear();
      assert.is(yield* ask(), "1 redis");
      assert.is(yield* ask(), "1 lru");
      assert.equal(cache.counts, { lru: 1, redis: 1, miss: 1 });
    }),
  ),
);

test(
  "a step that touches an account invalidates its answers in both tiers, and no others",
  run(({ memory, ask, cache, step }) =>
    Effect.gen(function* () {
      const other = { ...question, accountId: "other" };
      yield* ask();
      yield* ask(other);
      step("acme");
      assert.is(cache.hit(question), undefined);
      assert.is(yield* ask(other), "1 lru");
      assert.is(yield* ask(), "2 miss");
      step("acme");
      memory.clear();
      assert.is(yield* ask(other), "1 redis");
      assert.is(yield* ask(), "3 miss");
    }),
  ),
);

test(
  "a new generation of the read models invalidates all answers in both tiers, also one that is stored later",
  run(({ models, memory, shared, ask, cache, enter }) =>
    Effect.gen(function* () {
      yield* ask();
      const held = yield* Deferred.make<void>();
      models.held = held;
      const before = yield* Effect.forkDetach(ask({ ...question, top: 1 }));
      yield* settled;
      models.held = undefined;
      // The counts of the new generation differ, at the same checkpoint.
      Object.assign(models, { generation: 2 });
      assert.is(yield* ask(), "1 lru", "the step is not known yet");
      enter(2);
      assert.is(cache.hit(question), undefined);
      assert.is(yield* ask({ ...question, top: 1 }), "1 miss", "it joined what began before");
      assert.is(models.reads, 3);
      yield* Deferred.succeed(held, undefined);
      yield* Fiber.join(before);
      memory.clear();
      assert.is(yield* ask(), "1 miss");
      assert.is(yield* ask({ ...question, top: 1 }), "1 redis");
      assert.ok([...memory.values(), ...shared.values()].every((kept) => kept.generation === 2));
      // From a process that has seen the next generation already.
      for (const [key, kept] of shared) shared.set(key, { ...kept, generation: 3, text: "3" });
      memory.clear();
      assert.is(yield* ask(), "3 redis");
    }),
  ),
);

test(
  "concurrent requests for the same summary share one query",
  run(({ models, ask }) =>
    Effect.gen(function* () {
      models.held = yield* Deferred.make<void>();
      const asked = yield* Effect.forkDetach(
        Effect.all(
          Array.from({ length: 50 }, () => ask()),
          { concurrency: "unbounded" },
        ),
      );
      yield* settled;
      yield* Deferred.succeed(models.held, undefined);
      const answers = yield* Fiber.join(asked);
      assert.equal([new Set(answers).size, answers[0], models.reads], [1, "1 miss", 1]);
    }),
  ),
);

test(
  "a request after a published step does not get an answer from before it, and that answer is not stored",
  run(({ models, memory, shared, ask, step }) =>
    Effect.gen(function* () {
      const held = yield* Deferred.make<void>();
      models.held = held;
      const before = yield* Effect.forkDetach(ask());
      yield* settled;
      step("acme");
      models.held = undefined;
      assert.is(yield* ask(), "2 miss");
      yield* Deferred.succeed(held, undefined);
      assert.is(yield* Fiber.join(before), "1 miss", "it was asked before the step");
      assert.equal(
        [...memory.values(), ...shared.values()].map(({ text }) => text),
        ["2", "2"],
      );
      assert.is(yield* ask(), "2 lru");
    }),
  ),
);

test(
  "while the checkpoints are unknown nothing is stored, and better informed requests do not wait for such reads",
  run(
    ({ models, memory, shared, ask, step }) =>
      Effect.gen(function* () {
        yield* ask();
        assert.equal([memory.size, shared.size], [0, 0]);
        const held = yield* Deferred.make<void>();
        models.held = held;
        const before = yield* Effect.forkDetach(ask());
        yield* settled;
        step("acme");
        models.held = undefined;
        assert.is(yield* ask(), "2 miss");
        yield* Deferred.succeed(held, undefined);
        assert.is(yield* Fiber.join(before), "1 miss");
        assert.is(yield* ask(), "2 lru");
      }),
    false,
  ),
);

test(
  "a stale answer is served while one refresh runs in the background",
  run(({ models, ask, cache }) =>
    Effect.gen(function* () {
      yield* ask();
      yield* TestClock.adjust(FRESH_MS - 1);
      assert.is(yield* ask(), "1 lru");
      assert.is(models.reads, 1);
      yield* TestClock.adjust(1);
      assert.is(cache.hit(question), undefined);
      models.held = yield* Deferred.make<void>();
      // The read models changed without touching the account; only the text of this test shows it.
      models.checkpoint = 2;
      for (let i = 0; i < 5; i++) assert.is(yield* ask(), "1 lru");
      assert.is(models.reads, 2);
      yield* Deferred.succeed(models.held, undefined);
      yield* settled;
      assert.is(yield* ask(), "2 lru");
      assert.is(models.reads, 2);
    }),
  ),
);

test(
  "while the database is unavailable, cached answers are served until they are too old",
  run(({ models, ask, memory }) =>
    Effect.gen(function* () {
      yield* ask();
      models.unavailable = true;
      yield* TestClock.adjust(STALENESS_MAX_MS - 1);
      assert.is(yield* ask(), "1 lru");
      memory.clear();
      assert.is(yield* ask(), "1 redis");
      yield* TestClock.adjust(1);
      const result = yield* Effect.result(ask());
      assert.ok(Result.isFailure(result) && result.failure instanceof SummariesUnavailable);
    }),
  ),
);

test("failing refreshes are reported when they start to fail and when they work again", () => {
  const logged: string[] = [];
  const body = Effect.gen(function* () {
    const { models, ask, memory } = yield* open(true);
    yield* ask();
    models.unavailable = true;
    yield* TestClock.adjust(FRESH_MS);
    for (let i = 0; i < 3; i++) assert.is(yield* ask(), "1 lru");
    memory.clear();
    assert.is(yield* ask(), "1 redis");
    assert.equal(logged.length, 1, logged.join());
    assert.match(logged[0] ?? "", /^Warn: Cannot refresh cached summaries/);
    models.unavailable = false;
    yield* ask();
    assert.equal(logged.slice(1), ["Info: Cached summaries are refreshed again"]);
  });
  return simulate(Effect.andThen(TestClock.setTime(1_000_000), body), logged);
});

test(
  "the age of an answer counts from its `asOf`, not from when it was read",
  run(({ models, ask, memory, shared }) =>
    Effect.gen(function* () {
      models.lag = STALENESS_MAX_MS - 1_000;
      yield* ask();
      assert.is(yield* ask(), "1 lru", "a projector that lags does not make every read a query");
      yield* TestClock.adjust(1_000);
      assert.is(yield* ask(), "1 miss");
      assert.is(models.reads, 2);
      models.lag = STALENESS_MAX_MS;
      memory.clear();
      shared.clear();
      assert.is(yield* ask(), "1 miss");
      assert.equal([memory.size, shared.size], [0, 0]);
    }),
  ),
);

test(
  "after the clock was set back, no earlier answer is served",
  run(({ ask }) =>
    Effect.gen(function* () {
      yield* ask();
      yield* TestClock.setTime(1_000_000 - STALENESS_MAX_MS);
      assert.is(yield* ask(), "1 miss");
    }),
  ),
);

test(
  "a failure reaches all requests that wait for it, and the next request tries again",
  run(({ models, ask }) =>
    Effect.gen(function* () {
      models.unavailable = true;
      const results = yield* Effect.all([Effect.result(ask()), Effect.result(ask())], {
        concurrency: "unbounded",
      });
      assert.ok(results.every(Result.isFailure));
      assert.is(models.reads, 1);
      models.unavailable = false;
      assert.is(yield* ask(), "1 miss");
    }),
  ),
);

test(
  "a query is interrupted with the last client that waits for it, and not before",
  run(({ ask, models, memory }) =>
    Effect.gen(function* () {
      models.held = Deferred.makeUnsafe();
      const first = yield* Effect.forkDetach(ask());
      const second = yield* Effect.forkDetach(ask());
      yield* settled;
      assert.equal([models.reads, models.ended], [1, 0]);
      yield* Fiber.interrupt(first);
      yield* settled;
      assert.is(models.ended, 0);
      yield* Fiber.interrupt(second);
      yield* settled;
      assert.is(models.ended, 1, "it continues although no client waits for it");
      assert.is(memory.size, 0);
      models.held = undefined;
      assert.is(yield* ask(), "1 miss", "a later client does not get the interruption");
    }),
  ),
);

test(
  "a client waits a short time for the query of another one, and then starts its own",
  run(({ ask, models }) =>
    Effect.gen(function* () {
      const as = (client: string) => Effect.provideService(ask(), Client, client);
      const held = (models.held = Deferred.makeUnsafe());
      const others = yield* Effect.forkDetach(as("key:other"));
      yield* settled;
      const mine = yield* Effect.forkDetach(as("key:mine"));
      yield* settled;
      yield* TestClock.adjust(JOINED_MS_MAX - 1);
      yield* settled;
      assert.equal(models.readBy, ["key:other"]);
      yield* TestClock.adjust(1);
      yield* settled;
      assert.equal(models.readBy, ["key:other", "key:mine"]);
      const again = yield* Effect.forkDetach(as("key:mine"));
      yield* settled;
      yield* Deferred.succeed(held, undefined);
      for (const fiber of [others, mine, again]) assert.is(yield* Fiber.join(fiber), "1 miss");
      assert.is(models.reads, 2);
    }),
  ),
);

test(
  "a fast query is shared by all clients",
  run(({ ask, models }) =>
    Effect.gen(function* () {
      const held = (models.held = Deferred.makeUnsafe());
      const fibers = [];
      for (const client of ["key:a", "key:b", "key:c"]) {
        fibers.push(yield* Effect.forkDetach(Effect.provideService(ask(), Client, client)));
      }
      yield* settled;
      yield* Deferred.succeed(held, undefined);
      for (const fiber of fibers) assert.is(yield* Fiber.join(fiber), "1 miss");
      assert.is(models.reads, 1);
    }),
  ),
);

test.run();
