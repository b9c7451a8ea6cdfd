import { Effect, Metric } from "effect";
import { PrometheusMetrics } from "effect/observability";

import type { Projection } from "../core/projection/projection.ts";
import type { SummaryCache, Tier } from "../core/query/summary_cache.ts";
import type { Queue } from "../core/queue/queue.ts";

export interface MetricSources {
  /** Absent in a process without the api role. */
  readonly cache: Pick<SummaryCache["Service"], "counts"> | undefined;
  /** "ok" or what is wrong; undefined in a service without Redis. */
  readonly redis: (() => string) | undefined;
  readonly projection: Pick<Projection["Service"], "lag">;
  readonly queue: Pick<Queue["Service"], "backlog">;
}

const answers = Metric.counter("tidemark_cache_answers_total", {
  description: "Summaries answered, by the tier that had them (miss: read from the database)",
  incremental: true,
});
const redisUp = Metric.gauge("tidemark_redis_up", {
  description: "1 while Redis is used, 0 while it is done without",
});
const lagEvents = Metric.gauge("tidemark_projection_lag_events", {
  description: "Events in the log that are not folded yet, by shard",
});
const lagSeconds = Metric.gauge("tidemark_projection_lag_seconds", {
  description: "Age of the oldest event that is not folded yet, by shard",
});
const queueDepth = Metric.gauge("tidemark_queue_depth_events", {
  description: "Accepted events that wait to be appended",
});
const queueAge = Metric.gauge("tidemark_queue_age_seconds", {
  description: "Age of the oldest job that waits",
});
const deadLetters = Metric.gauge("tidemark_dead_letters", {
  description: "Jobs whose every attempt failed; see npm run deadletters",
});

/** How long the database may take to be asked; then the rest is told without it. */
const DATABASE_PATIENCE = "2 seconds";

/**
 * Makes the effect that tells the metrics as Prometheus text. They are looked up when somebody asks: an
 * answer out of the cache is too cheap to count it twice.
 */
export const makeMetrics = ({
  cache,
  redis,
  projection,
  queue,
}: MetricSources): Effect.Effect<string> => {
  const told: Record<Tier, number> = { lru: 0, redis: 0, miss: 0 };

  const countAnswers = (counts: Readonly<Record<Tier, number>>) =>
    Effect.forEach(
      Object.keys(told) as Tier[],
      (tier) => {
        const since = counts[tier] - told[tier];
        told[tier] = counts[tier];
        return Metric.update(Metric.withAttributes(answers, { tier }), since);
      },
      { discard: true },
    );

  const tellLag = Effect.flatMap(projection.lag, (lags) =>
    Effect.forEach(
      lags,
      ({ shard, head, checkpoint, seconds }) => {
        const attributes = { shard: String(shard) };
        return Effect.andThen(
          Metric.update(Metric.withAttributes(lagEvents, attributes), head - checkpoint),
          Metric.update(Metric.withAttributes(lagSeconds, attributes), seconds),
        );
      },
      { discard: true },
    ),
  );

  const tellBacklog = Effect.flatMap(queue.backlog, (backlog) =>
    Effect.all([
      Metric.update(queueDepth, backlog.events),
      Metric.update(queueAge, backlog.seconds),
      Metric.update(deadLetters, backlog.deadLetters),
    ]),
  );
  /** Without the database there is still something to tell. */
  const ifReachable = <A, E>(tell: Effect.Effect<A, E>) =>
    Effect.ignore(Effect.timeout(tell, DATABASE_PATIENCE));

  return Effect.gen(function* () {
    if (cache !== undefined) yield* countAnswers(cache.counts);
    if (redis !== undefined) yield* Metric.update(redisUp, redis() === "ok" ? 1 : 0);
    yield* Effect.all([ifReachable(tellLag), ifReachable(tellBacklog)], { concurrency: 2 });
    return yield* PrometheusMetrics.format();
  });
};
