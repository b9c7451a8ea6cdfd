import { Effect } from "effect";

import { summaryText } from "../adapters/koa/present.ts";
import type { SharedCounters } from "../adapters/koa/rate_limit.ts";
import { makeAnswerMemory, noAnswerStore } from "../adapters/memory/answers.ts";
import { makeMemoryInvalidations } from "../adapters/memory/invalidations.ts";
import type { Database, Statement } from "../adapters/postgres/pool.ts";
import { makeRedisAnswerStore } from "../adapters/redis/answers.ts";
import type { BreakerState } from "../adapters/redis/breaker.ts";
import { openConnection } from "../adapters/redis/connection.ts";
import { makeRedisInvalidations } from "../adapters/redis/invalidations.ts";
import { makeRedisTokenBuckets } from "../adapters/redis/token_buckets.ts";
import type { TokenBuckets } from "../core/access/quotas.ts";
import type { Invalidations } from "../core/projection/invalidations.ts";
import type { AnswerStore } from "../core/query/answer_store.ts";
import { makeHorizon } from "../core/query/horizon.ts";
import { makeSummaryCache, type SummaryCache } from "../core/query/summary_cache.ts";
import { watchCheckpoints } from "../core/query/watch_checkpoints.ts";
import type { Configuration } from "./configuration.ts";

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

const LOG_IDENTITY: Statement = {
  name: "log_identity",
  text: "select id, secret from tidemark.log_identity",
};

interface LogIdentity {
  readonly id: string;
  readonly secret: Buffer;
}

/** Connects to Redis, if there is one, until the scope closes. Does not wait for it. */
export const openShared = Effect.fnUntraced(function* (
  { REDIS_URL }: Pick<Configuration, "REDIS_URL">,
  database: Database,
) {
  if (REDIS_URL === undefined) {
    const invalidations = makeMemoryInvalidations();
    return {
      answers: noAnswerStore,
      invalidations,
      makeTokenBuckets: (own) => own,
      counters: undefined,
      redis: undefined,
    } satisfies Shared;
  }
  const [log] = yield* Effect.tryPromise({
    try: () => database.query<LogIdentity>(LOG_IDENTITY, []),
    catch: (error) => error,
  });
  if (log === undefined) return yield* Effect.die(new Error("the log has no identity"));
  const tell = Effect.runForkWith(yield* Effect.context());
  const connection = yield* Effect.acquireRelease(
    Effect.sync(() =>
      openConnection({
        url: REDIS_URL,
        namespace: log.id,
        secret: log.secret,
        onChange: (state) => tell(logState(state)),
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
      call: connection.breaker.call,
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
  yield* invalidations.subscribe(horizon.announce);
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
