import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { ProjectionUnavailable } from "../../core/projection/projection.ts";
import { makeMeters } from "./meters.ts";
import { makeMetrics, type MetricSources, type StationSources } from "./scrape.ts";

const test = suite("the metrics of a process");

const caughtUp = Effect.succeed([{ shard: 0, head: 7, checkpoint: 7, seconds: 0 }]);

const metricsOf = (
  stations: Partial<StationSources>,
  meters: MetricSources["meters"] = makeMeters(),
): Effect.Effect<string> =>
  makeMetrics({
    meters,
    process: () => {},
    roles: new Set(["api", "worker"]),
    connections: () => 3,
    bodiesHeld: () => 4_096,
    stations: {
      pools: {},
      projection: { lag: caughtUp },
      queue: { backlog: Effect.succeed({ events: 12, seconds: 0.5, deadLetters: 1 }) },
      ...stations,
    },
  });

const tell = (stations: Partial<StationSources>): Promise<string> =>
  Effect.runPromise(metricsOf(stations));

test("answers are counted by tier, and scraping does not count them again", async () => {
  const counts = { lru: 3, redis: 2, miss: 1 };
  const metrics = metricsOf({ cache: { counts } });
  await Effect.runPromise(metrics);
  counts.lru = 5;
  const text = await Effect.runPromise(metrics);
  assert.match(text, /^tidemark_cache_answers_total\{tier="lru"\} 5$/m);
  assert.match(text, /^tidemark_cache_answers_total\{tier="redis"\} 2$/m);
  assert.match(text, /^tidemark_cache_answers_total\{tier="miss"\} 1$/m);
});

test("Redis is 1 while it is available and 0 while it is not", async () => {
  let state = "ok";
  const metrics = metricsOf({ redis: () => state });
  assert.match(await Effect.runPromise(metrics), /^tidemark_redis_up 1$/m);
  state = "unavailable: connect ECONNREFUSED";
  assert.match(await Effect.runPromise(metrics), /^tidemark_redis_up 0$/m);
});

test("lag is reported by shard, in events and in seconds", async () => {
  const lag = Effect.succeed([{ shard: 3, head: 10, checkpoint: 4, seconds: 1.5 }]);
  const text = await tell({ projection: { lag } });
  assert.match(text, /^tidemark_log_head\{shard="3"\} 10$/m);
  assert.match(text, /^tidemark_projection_lag_events\{shard="3"\} 6$/m);
  assert.match(text, /^tidemark_projection_lag_seconds\{shard="3"\} 1.5$/m);
});

test("the backlog of the queue and the dead letters are reported", async () => {
  const text = await tell({});
  assert.match(text, /^tidemark_queue_depth_events 12$/m);
  assert.match(text, /^tidemark_queue_age_seconds 0.5$/m);
  assert.match(text, /^tidemark_dead_letters 1$/m);
  assert.match(text, /^tidemark_database_up 1$/m);
});

test("pools report active, given up, idle and awaited connections", async () => {
  const counts = { totalCount: 5, idleCount: 2, waitingCount: 7, givenUpCount: 1 };
  const pools = { write: { ...counts, options: { max: 6 } } };
  const text = await tell({ pools, readsWaiting: () => 4 });
  assert.match(text, /^tidemark_query_waiting 4$/m);
  assert.match(text, /^tidemark_database_connections\{pool="write",state="active"\} 2$/m);
  assert.match(text, /^tidemark_database_connections\{pool="write",state="given_up"\} 1$/m);
  assert.match(text, /^tidemark_database_connections\{pool="write",state="idle"\} 2$/m);
  assert.match(text, /^tidemark_database_connections_waiting\{pool="write"\} 7$/m);
  assert.match(text, /^tidemark_database_connections_max\{pool="write"\} 6$/m);
});

test("without the database the rest is reported, and nothing stale", async () => {
  let away = false;
  const lag = Effect.suspend(() =>
    away ? Effect.fail(new ProjectionUnavailable({ cause: new Error("away") })) : caughtUp,
  );
  const meters = makeMeters();
  meters.counter("things_total", "Things")()(4);
  const metrics = metricsOf({ redis: () => "ok", projection: { lag } }, meters);
  assert.match(await Effect.runPromise(metrics), "tidemark_projection_lag_events");
  away = true;
  const text = await Effect.runPromise(metrics);
  assert.match(text, /^tidemark_redis_up 1$/m);
  assert.match(text, /^things_total 4$/m);
  assert.match(text, /^tidemark_role\{role="worker"\} 1$/m);
  assert.match(text, /^tidemark_http_connections 3$/m);
  assert.match(text, /^tidemark_http_bodies_bytes 4096$/m);
  assert.match(text, /^tidemark_database_up 0$/m);
  assert.not.match(text, "tidemark_projection_lag_events");
});

test("a service that is starting reports no database", async () => {
  const text = await Effect.runPromise(
    makeMetrics({
      meters: makeMeters(),
      process: () => {},
      roles: new Set(["api"]),
      connections: () => 0,
      bodiesHeld: () => 0,
      stations: undefined,
    }),
  );
  assert.match(text, /^tidemark_database_up 0$/m);
});

test.run();
