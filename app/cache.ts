import { Context, Effect, Layer, Redacted } from "effect";

import type { SharedCounters } from "../adapters/koa/access/rate_limit.ts";
import { summaryText } from "../adapters/koa/routes/get_summary.ts";
import { makeAnswerMemory, noAnswerStore } from "../adapters/memory/answers.ts";
import { makeMemoryInvalidations } from "../adapters/memory/invalidations.ts";
import { Databases } from "../adapters/postgres/pool.ts";
import { makeRedisAnswerStore } from "../adapters/redis/answers.ts";
import type { BreakerState } from "../adapters/redis/breaker.ts";
import { openConnection } from "../adapters/redis/connection.ts";
import { makeRedisInvalidations } from "../adapters/redis/invalidations.ts";
import { makeRedisTokenBuckets } from "../adapters/redis/token_buckets.ts";
import type { TokenBuckets } from "../core/access/quotas.ts";
import { Invalidations } from "../core/projection/invalidations.ts";
import { AnswerStore } from "../core/query/answer.ts";
import { makeHorizon } from "../core/query/horizon.ts";
import { makeSummaryCache } from "../core/query/summary_cache.ts";
import { watchCheckpoints } from "../core/query/watch_checkpoints.ts";
import { makeFaultReport } from "../core/report_faults.ts";
import type { Configuration } from "./configuration.ts";
import { readIncarnation, redisIdentityOf } from "./database/incarnation.ts";
import { attempt, untilDatabaseReady } from "./database/wait.ts";
import { Meters } from "./metrics/meters.ts";

/** What processes on the same database share through Redis, or what a process has instead. */
export class Shared extends Context.Service<
  Shared,
  {
    /**
     * Where quotas are counted together; `fallback` is where this process counts while Redis is
     * unavailable.
     */
    readonly makeTokenBuckets: (fallback: TokenBuckets) => TokenBuckets;
    /** Where requests are counted together; undefined without Redis. */
    readonly counters: SharedCounters | undefined;
    /** The state of Redis; undefined without one. */
    readonly redis: (() => BreakerState) | undefined;
  }
>()("tidemark/Shared") {}

/** Connects to Redis, if there is one, until the scope closes. Does not wait for it. */
export const sharedLayer = ({ REDIS_URL }: Pick<Configuration, "REDIS_URL">) =>
  Layer.effectContext(
    REDIS_URL === undefined ? Effect.succeed(notShared(undefined)) : openShared(REDIS_URL),
  );

const notShared = (redis: Shared["Service"]["redis"]) =>
  sharedContext(
    { makeTokenBuckets: (own) => own, counters: undefined, redis },
    noAnswerStore,
    makeMemoryInvalidations(),
  );

const sharedContext = (
  shared: Shared["Service"],
  answers: AnswerStore["Service"],
  invalidations: Invalidations["Service"],
) =>
  Context.make(Shared, shared).pipe(
    Context.add(AnswerStore, answers),
    Context.add(Invalidations, invalidations),
  );

/** Why Redis is not used with a database that cannot be told from its copies. */
const UNIDENTIFIED =
  "the database does not identify itself (pg_control_system, pg_walfile_name), and a copy of it might share this Redis";

/**
 * Only processes on the same database share anything: what keys and signatures are made of does not
 * come along with a dump.
 */
const openShared = Effect.fnUntraced(function* (url: Redacted.Redacted) {
  const { control } = yield* Databases;
  const incarnation = yield* untilDatabaseReady(attempt(() => readIncarnation(control)));
  if (incarnation === undefined) {
    yield* Effect.annotateLogs(Effect.logError("Redis is not used"), { reason: UNIDENTIFIED });
    return notShared(() => `unavailable: ${UNIDENTIFIED}`);
  }
  const run = Effect.runForkWith(yield* Effect.context());
  const changes = (yield* Meters).counter(
    "tidemark_redis_changes_total",
    "Changes of the Redis state, to away (unavailable) or to ok.",
  );
  const changed = { ok: changes({ to: "ok" }), away: changes({ to: "away" }) };
  const subscription = yield* makeFaultReport({
    task: "subscription",
    failing:
      "Redis refuses the subscription: this process sees new events a third of a second later",
    working: "Subscribed in Redis",
  });
  const connection = yield* Effect.acquireRelease(
    Effect.sync(() =>
      openConnection({
        url: Redacted.value(url),
        ...redisIdentityOf(incarnation),
        onChange: (state) => {
          changed[state === "ok" ? "ok" : "away"]();
          run(logState(state));
        },
        onSubscribed: (refused) => {
          run(refused === undefined ? subscription.worked : subscription.failed(refused));
        },
      }),
    ),
    ({ close }) => Effect.sync(close),
  );
  const { redis, prefix, breaker } = connection;
  return sharedContext(
    {
      makeTokenBuckets: (fallback) => makeRedisTokenBuckets(connection, fallback),
      counters: { redis, prefix, call: (count) => breaker.call("count", count) },
      redis: breaker.state,
    },
    makeRedisAnswerStore(connection),
    makeRedisInvalidations(connection),
  );
});

const logState = (state: BreakerState): Effect.Effect<void> =>
  state === "ok"
    ? Effect.logInfo("Redis is available")
    : Effect.annotateLogs(Effect.logWarning("Redis unavailable; continuing without it"), {
        reason: state,
      });

/** The cache of summaries of this process, which learns of invalidations until the scope closes. */
export const openSummaryCache = Effect.fnUntraced(function* ({
  SHARDS,
  CACHE_BYTES_MAX,
}: Pick<Configuration, "SHARDS" | "CACHE_BYTES_MAX">) {
  const invalidations = yield* Invalidations;
  const horizon = makeHorizon();
  yield* invalidations.subscribe(horizon.invalidate);
  yield* Effect.forkScoped(watchCheckpoints(horizon));
  return yield* makeSummaryCache({
    shards: SHARDS,
    horizon,
    memory: makeAnswerMemory(CACHE_BYTES_MAX),
    store: yield* AnswerStore,
    present: summaryText,
  });
});
