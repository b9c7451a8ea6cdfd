import { Effect } from "effect";

import type { SharedCounters } from "../adapters/koa/access/rate_limit.ts";
import { summaryText } from "../adapters/koa/routes/get_summary.ts";
import { makeAnswerMemory, noAnswerStore } from "../adapters/memory/answers.ts";
import { makeMemoryInvalidations } from "../adapters/memory/invalidations.ts";
import type { Database } from "../adapters/postgres/pool.ts";
import { makeRedisAnswerStore } from "../adapters/redis/answers.ts";
import type { BreakerState } from "../adapters/redis/breaker.ts";
import { openConnection } from "../adapters/redis/connection.ts";
import { makeRedisInvalidations } from "../adapters/redis/invalidations.ts";
import { makeRedisTokenBuckets } from "../adapters/redis/token_buckets.ts";
import type { TokenBuckets } from "../core/access/quotas.ts";
import type { Invalidations } from "../core/projection/invalidations.ts";
import type { AnswerStore } from "../core/query/answer.ts";
import { makeHorizon } from "../core/query/horizon.ts";
import { makeSummaryCache, type SummaryCache } from "../core/query/summary_cache.ts";
import { watchCheckpoints } from "../core/query/watch_checkpoints.ts";
import { makeFaultReport } from "../core/report_faults.ts";
import type { Configuration } from "./configuration.ts";
import { readIncarnation, redisIdentityOf } from "./incarnation.ts";
import { REDIS_CHANGES } from "./metrics/families.ts";
import type { Meters } from "./metrics/meters.ts";

/** What processes share, if anything. */
export interface Shared {
  readonly answers: AnswerStore["Service"];
  readonly invalidations: Invalidations["Service"];
  /** Where quotas are counted together, given where they are counted while that is away. */
  readonly makeTokenBuckets: (fallback: TokenBuckets) => TokenBuckets;
  /** Where requests are counted together; undefined without Redis. */
  readonly counters: SharedCounters | undefined;
  /** How Redis is; undefined without one. */
  readonly redis: (() => BreakerState) | undefined;
}

/** What a process has that shares nothing. */
const sharesNothing = (redis: Shared["redis"]): Shared => ({
  answers: noAnswerStore,
  invalidations: makeMemoryInvalidations(),
  makeTokenBuckets: (own) => own,
  counters: undefined,
  redis,
});

/** Why Redis is done without when nobody can tell this database from a copy of it. */
const UNTOLD =
  "the database does not tell which one it is (pg_control_system, pg_walfile_name), and a copy of it might share this Redis";

/**
 * Connects to Redis, if there is one, until the scope closes. Does not wait for it. Only processes on the same database share
 * anything there: what keys and signatures are made of does not come along with a dump.
 */
export const openShared = Effect.fnUntraced(function* (
  { REDIS_URL }: Pick<Configuration, "REDIS_URL">,
  database: Database,
  meters: Meters,
) {
  if (REDIS_URL === undefined) return sharesNothing(undefined);
  const incarnation = yield* Effect.tryPromise({
    try: () => readIncarnation(database),
    catch: (error) => error,
  });
  if (incarnation === undefined) {
    yield* Effect.annotateLogs(Effect.logError("Redis is not used"), { reason: UNTOLD });
    return sharesNothing(() => `unavailable: ${UNTOLD}`);
  }
  const { namespace, secret } = redisIdentityOf(incarnation);
  const tell = Effect.runForkWith(yield* Effect.context());
  const changed = {
    ok: meters.counter(REDIS_CHANGES, { to: "ok" }),
    away: meters.counter(REDIS_CHANGES, { to: "away" }),
  };
  const subscription = yield* makeFaultReport({
    task: "subscription",
    failing:
      "Redis does not let this process subscribe: it sees what others commit a third of a second late",
    working: "This process is subscribed in Redis",
  });
  const connection = yield* Effect.acquireRelease(
    Effect.sync(() =>
      openConnection({
        url: REDIS_URL,
        namespace,
        secret,
        onChange: (state) => {
          changed[state === "ok" ? "ok" : "away"]();
          tell(logState(state));
        },
        onSubscribed: (refused) => {
          tell(refused === undefined ? subscription.worked : subscription.failed(refused));
        },
      }),
    ),
    ({ close }) => Effect.sync(close),
  );
  return {
    answers: makeRedisAnswerStore(connection),
    invalidations: makeRedisInvalidations(connection),
    makeTokenBuckets: (fallback) => makeRedisTokenBuckets(connection, fallback),
    counters: {
      redis: connection.redis,
      prefix: connection.prefix,
      call: (run) => connection.breaker.call("count", run),
    },
    redis: connection.breaker.state,
  } satisfies Shared;
});

const logState = (state: BreakerState): Effect.Effect<void> =>
  state === "ok"
    ? Effect.logInfo("Redis is there")
    : Effect.annotateLogs(Effect.logWarning("Redis is away: it is done without"), {
        reason: state,
      });

/** A cache for the summaries of this process, which learns of what is folded until the scope closes. */
export const openSummaryCache = Effect.fnUntraced(function* (
  { SHARDS, CACHE_BYTES_MAX }: Pick<Configuration, "SHARDS" | "CACHE_BYTES_MAX">,
  { answers, invalidations }: Shared,
) {
  const horizon = makeHorizon();
  yield* invalidations.subscribe(horizon.invalidate);
  yield* Effect.forkScoped(watchCheckpoints(horizon));
  const cache: SummaryCache["Service"] = yield* makeSummaryCache({
    shards: SHARDS,
    horizon,
    memory: makeAnswerMemory(CACHE_BYTES_MAX),
    store: answers,
    present: summaryText,
  });
  return cache;
});
