import { Deferred, Effect, Exit, Fiber, Result } from "effect";
import { TestClock } from "effect/testing";
import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { ANYONE, Client, type Principal } from "../access/principal.ts";
import { type Charge, makeQuotas, NO_QUOTAS, type Quotas } from "../access/quotas.ts";
import { type TokenBucket, bucketWith, tokensIn } from "../access/token_bucket.ts";
import { BATCH_BYTES_MAX, bytesIn } from "../event/batch.ts";
import { anEvent } from "../event/event.fixture.ts";
import { type Priority, QueueFull, QueueUnavailable } from "../queue/queue.ts";
import { settled, simulate } from "../simulate.fixture.ts";
import { makeAdmission } from "./admission.ts";
import { aLoadSample } from "./capacity.fixture.ts";
import { makeCapacity } from "./capacity.ts";

const test = suite("admission");

const LIMITS = { queuedMax: 1_000, laggingMax: 5_000 };

const batchOf = (accountId: string, count: number) => ({
  events: Array.from({ length: count }, (_, i) => anEvent({ accountId, eventId: `${i}` })),
  duplicates: 0,
  conflicts: 0,
});

/** A quota of 100 events a minute for every account, and what is left of it. */
const countedQuotas = () => {
  const buckets = new Map<string, TokenBucket>();
  const perMinute = 100;
  const change = (charges: ReadonlyArray<Charge>, sign: 1 | -1, now: number): void => {
    for (const { name, events } of charges) {
      const tokens = tokensIn(buckets.get(name), perMinute, now) + sign * events;
      buckets.set(name, bucketWith(Math.min(perMinute, tokens), buckets.get(name), now));
    }
  };
  const quotas = makeQuotas(
    {
      take: (charges, now) =>
        Effect.sync(() => {
          if (charges.some(({ name }) => tokensIn(buckets.get(name), perMinute, now) < 1)) return 9;
          change(charges, -1, now);
          return undefined;
        }),
      giveBack: (charges, now) => Effect.sync(() => change(charges, 1, now)),
    },
    () => perMinute,
  );
  const left = (accountId: string) => tokensIn(buckets.get(`account:${accountId}`), perMinute, 0);
  return { quotas, left };
};

const open = (quotas: Quotas = NO_QUOTAS, queued = 0) => {
  const capacity = makeCapacity(LIMITS);
  const know = (waiting: number, at = 0) =>
    capacity.beginSample().succeed(aLoadSample({ at, queued: waiting }));
  know(queued);
  return { ...makeAdmission({ capacity, quotas }), capacity, know };
};

const accepted = () => Effect.succeed("a job");
const tagOf = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.result(effect), (result) =>
    Result.isSuccess(result) ? "accepted" : result.failure._tag,
  );

test("a batch that is forbidden or too large is refused before anything is counted", () =>
  simulate(
    Effect.gen(function* () {
      const { quotas, left } = countedQuotas();
      const { admit, know } = open(quotas);
      const binding = { _tag: "One", accountId: "a" } as const;
      const key: Principal = { ...ANYONE, keyId: "key", accounts: binding };
      const enqueue = () => Effect.die("asked");
      const mixed = [...batchOf("a", 1).events, ...batchOf("b", 1).events];
      const forbidden = admit({ events: mixed, duplicates: 0, conflicts: 0 }, key, enqueue);
      assert.is(yield* tagOf(forbidden), "AccountsForbidden");
      const [event] = batchOf("a", 1).events;
      if (event === undefined) throw new Error("no event");
      const metadata = "x".repeat(BATCH_BYTES_MAX - bytesIn([event]));
      const sized = (text: string) => ({
        events: [{ ...event, metadata: text }],
        duplicates: 0,
        conflicts: 0,
      });
      assert.is(yield* tagOf(admit(sized(`${metadata}x`), key, enqueue)), "BatchBytesExceeded");
      know(1_000);
      assert.is(yield* tagOf(admit(batchOf("a", 1), key, enqueue)), "QueueFull");
      assert.is(left("a"), 100);
      know(999);
      assert.is(yield* tagOf(admit(sized(metadata), key, accepted)), "accepted");
      assert.is(left("a"), 99);
    }),
  ));

test("the limit holds for all callers, between two samples, and for what is being enqueued", () =>
  simulate(
    Effect.gen(function* () {
      const { admit } = open(NO_QUOTAS, 900);
      const goOn = yield* Deferred.make<string>();
      const waits = yield* Effect.forkChild(
        admit(batchOf("a", 99), ANYONE, () => Deferred.await(goOn)),
      );
      yield* settled;
      assert.is(yield* tagOf(admit(batchOf("b", 1), ANYONE, accepted)), "accepted");
      assert.is(yield* tagOf(admit(batchOf("b", 1), ANYONE, accepted)), "QueueFull");
      yield* Deferred.succeed(goOn, "a job");
      assert.is(yield* Fiber.join(waits), "a job");
      assert.is(yield* tagOf(admit(batchOf("b", 1), ANYONE, accepted)), "QueueFull");
    }),
  ));

for (const [how, error] of [
  ["is refused by the queue", new QueueFull({ retryAfterSeconds: 1 })],
  ["fails with an unknown outcome", new QueueUnavailable({ cause: "a test" })],
] as const) {
  test(`a batch that ${how} uses nothing of its quota, however often it is sent`, () =>
    simulate(
      Effect.gen(function* () {
        const { quotas, left } = countedQuotas();
        const { admit } = open(quotas);
        const refused = admit(batchOf("a", 60), ANYONE, () => Effect.fail(error));
        for (let i = 0; i < 5; i++) assert.is(yield* tagOf(refused), error._tag);
        assert.is(left("a"), 100);
        assert.is(yield* tagOf(admit(batchOf("a", 60), ANYONE, accepted)), "accepted");
        assert.is(left("a"), 40);
      }),
    ));
}

test("a refused batch leaves its room to others; one that may be committed does not, until the next sample", () =>
  simulate(
    Effect.gen(function* () {
      const { quotas } = countedQuotas();
      const { admit, know } = open(quotas, 500);
      const failing = (error: QueueFull | QueueUnavailable) =>
        tagOf(admit(batchOf("a", 499), ANYONE, () => Effect.fail(error)));
      yield* failing(new QueueFull({ retryAfterSeconds: 1 }));
      yield* failing(new QueueFull({ retryAfterSeconds: 1 }));
      // 500 and 499; the next one finds the limit reached.
      yield* failing(new QueueUnavailable({ cause: "a test" }));
      assert.is(yield* tagOf(admit(batchOf("b", 1), ANYONE, accepted)), "accepted");
      assert.is(yield* tagOf(admit(batchOf("b", 1), ANYONE, accepted)), "QueueFull");
      know(501);
      assert.is(yield* tagOf(admit(batchOf("b", 1), ANYONE, accepted)), "accepted");
      // A batch beyond its quota takes no room either.
      assert.is(yield* tagOf(admit(batchOf("c", 480), ANYONE, accepted)), "accepted");
      assert.is(yield* tagOf(admit(batchOf("c", 480), ANYONE, accepted)), "QuotaExceeded");
      assert.is(yield* tagOf(admit(batchOf("d", 1), ANYONE, accepted)), "accepted");
    }),
  ));

test("a client that disconnects is charged for what is committed anyway, and for nothing else", () =>
  simulate(
    Effect.gen(function* () {
      const { quotas, left } = countedQuotas();
      const { admit } = open(quotas);
      for (const [account, outcome, expected] of [
        ["a", Exit.succeed("a job"), 40],
        ["b", Exit.fail(new QueueUnavailable({ cause: "a test" })), 100],
      ] as const) {
        const goOn = yield* Deferred.make<string, QueueUnavailable>();
        const waits = yield* Effect.forkChild(
          admit(batchOf(account, 60), ANYONE, () => Deferred.await(goOn)),
        );
        yield* settled;
        yield* Fiber.interrupt(waits);
        assert.is(left(account), 40);
        yield* Deferred.done(goOn, outcome);
        yield* settled;
        assert.is(left(account), expected);
      }
    }),
  ));

test("a client that floods over any number of accounts is refused long before the others", () =>
  simulate(
    Effect.gen(function* () {
      const { admit, refusal, capacity } = open();
      const as = (client: string) => Effect.provideService(Client, client);
      let accounts = 0;
      const priorities = new Set<Priority>();
      const flood = admit(
        {
          ...batchOf("", 0),
          events: Array.from({ length: 10 }, () => anEvent({ accountId: `made up ${accounts++}` })),
        },
        ANYONE,
        (priority) =>
          Effect.as(
            Effect.sync(() => priorities.add(priority)),
            "a job",
          ),
      ).pipe(as("key:hostile"));
      // First it becomes heavy, while everything drains.
      for (let i = 0; i < 500; i++) {
        yield* tagOf(flood);
        yield* TestClock.adjust(10);
        capacity.beginSample().succeed(aLoadSample({ at: i * 10 }));
      }
      assert.ok(priorities.has("low"));
      // From now on nothing drains.
      let outcome = "accepted";
      let floods = 0;
      while (outcome === "accepted") {
        outcome = yield* tagOf(flood);
        floods++;
      }
      assert.is(outcome, "QueueFull");
      assert.ok(floods * 10 <= LIMITS.queuedMax * 0.75 + 10, `${floods}`);
      assert.ok(refusal(5_000, "key:hostile"));
      assert.is(refusal(5_000, "key:other"), undefined);
      for (let i = 0; i < 200; i++) {
        const one = admit(batchOf(`quiet ${i}`, 1), ANYONE, accepted);
        assert.is(yield* tagOf(as(`key:${i % 10}`)(one)), "accepted", `${i}`);
        yield* tagOf(flood);
      }
    }),
  ));

/** One event in the life of an admission. */
type Step =
  | { readonly _tag: "Send"; readonly account: number; readonly count: number; readonly ends: End }
  | { readonly _tag: "Load" }
  | { readonly _tag: "Pass"; readonly ms: number };
type End = "committed" | "full" | "unknown but committed" | "unavailable" | "hangs up";

test("whatever happens to batches, the limit holds, and each quota is charged for what is in the queue", () => {
  const step = fc.oneof(
    fc.record({
      _tag: fc.constant("Send" as const),
      account: fc.nat({ max: 2 }),
      count: fc.integer({ min: 1, max: 90 }),
      ends: fc.constantFrom<End>(
        "committed",
        "full",
        "unknown but committed",
        "unavailable",
        "hangs up",
      ),
    }),
    fc.record({ _tag: fc.constant("Load" as const) }),
    fc.record({ _tag: fc.constant("Pass" as const), ms: fc.integer({ min: 1, max: 2_000 }) }),
  );
  return fc.assert(
    fc.asyncProperty(fc.array<Step>(step, { maxLength: 60 }), (steps) =>
      simulate(
        Effect.gen(function* () {
          let charged = 0;
          const spent = new Map<string, number>();
          const quotas = makeQuotas(
            {
              take: (charges) =>
                Effect.sync(() => {
                  for (const { name, events } of charges) {
                    spent.set(name, (spent.get(name) ?? 0) + events);
                    charged += events;
                  }
                  return undefined;
                }),
              giveBack: (charges) =>
                Effect.sync(() => {
                  for (const { name, events } of charges) {
                    spent.set(name, (spent.get(name) ?? 0) - events);
                    charged -= events;
                  }
                }),
            },
            () => 1_000_000,
          );
          const { admit, know } = open(quotas);
          // What the queue contains, and what of it was reported to the sender as not known to be accepted.
          let inQueue = 0;
          let untold = 0;
          let now = 0;
          for (const one of steps) {
            if (one._tag === "Load") know(inQueue, now);
            else if (one._tag === "Pass") {
              yield* TestClock.adjust(one.ms);
              now += one.ms;
              know(inQueue, now);
            } else {
              const commit = Effect.sync(() => {
                inQueue += one.count;
                return "a job";
              });
              const unavailable = Effect.fail(new QueueUnavailable({ cause: "a test" }));
              const ends: Record<End, Effect.Effect<string, QueueFull | QueueUnavailable>> = {
                committed: commit,
                full: Effect.fail(new QueueFull({ retryAfterSeconds: 1 })),
                unavailable,
                "unknown but committed": Effect.andThen(commit, unavailable),
                "hangs up": Effect.andThen(Effect.yieldNow, commit),
              };
              const before = inQueue;
              const fiber = yield* Effect.forkChild(
                tagOf(admit(batchOf(`${one.account}`, one.count), ANYONE, () => ends[one.ends])),
              );
              if (one.ends === "hangs up") yield* Fiber.interrupt(fiber);
              else yield* Fiber.await(fiber);
              yield* settled;
              if (one.ends === "unknown but committed") untold += inQueue - before;
              // One batch may exceed the limit, but none that arrives after it is reached.
              assert.ok(inQueue <= before || before < LIMITS.queuedMax);
              assert.ok(inQueue < LIMITS.queuedMax + 90, `${inQueue}`);
            }
            assert.is(charged, inQueue - untold);
          }
          for (const left of spent.values()) assert.ok(left >= 0);
        }),
      ),
    ),
    { numRuns: 60 },
  );
});

test.run();
