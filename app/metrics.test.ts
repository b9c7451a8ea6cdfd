import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { ProjectionUnavailable } from "../core/projection/projection.ts";
import { makeMetrics } from "./metrics.ts";

const test = suite("metrics");

const queue = { backlog: Effect.succeed({ events: 12, seconds: 0.5, deadLetters: 1 }) };
const caughtUp = Effect.succeed([{ shard: 0, head: 7, checkpoint: 7, seconds: 0 }]);

test("answers are counted by tier, once however often somebody asks", async () => {
  const counts = { lru: 3, redis: 2, miss: 1 };
  const metrics = makeMetrics({
    cache: { counts },
    redis: undefined,
    projection: { lag: caughtUp },
    queue,
  });
  await Effect.runPromise(metrics);
  counts.lru = 5;
  const text = await Effect.runPromise(metrics);
  assert.match(text, /^tidemark_cache_answers_total\{tier="lru"\} 5$/m);
  assert.match(text, /^tidemark_cache_answers_total\{tier="redis"\} 2$/m);
  assert.match(text, /^tidemark_cache_answers_total\{tier="miss"\} 1$/m);
});

test("Redis is 1 while it is used and 0 while it is done without", async () => {
  let state = "ok";
  const metrics = makeMetrics({
    cache: undefined,
    redis: () => state,
    projection: { lag: caughtUp },
    queue,
  });
  assert.match(await Effect.runPromise(metrics), /^tidemark_redis_up 1$/m);
  state = "away: connect ECONNREFUSED";
  assert.match(await Effect.runPromise(metrics), /^tidemark_redis_up 0$/m);
});

test("lag is told by shard, in events and in seconds", async () => {
  const lag = Effect.succeed([{ shard: 3, head: 10, checkpoint: 4, seconds: 1.5 }]);
  const metrics = makeMetrics({ cache: undefined, redis: undefined, projection: { lag }, queue });
  const text = await Effect.runPromise(metrics);
  assert.match(text, /^tidemark_projection_lag_events\{shard="3"\} 6$/m);
  assert.match(text, /^tidemark_projection_lag_seconds\{shard="3"\} 1.5$/m);
});

test("what waits in the queue is told, and what is dead", async () => {
  const projection = { lag: caughtUp };
  const metrics = makeMetrics({ cache: undefined, redis: undefined, projection, queue });
  const text = await Effect.runPromise(metrics);
  assert.match(text, /^tidemark_queue_depth_events 12$/m);
  assert.match(text, /^tidemark_queue_age_seconds 0.5$/m);
  assert.match(text, /^tidemark_dead_letters 1$/m);
});

test("without the database the rest is told", async () => {
  const lag = Effect.fail(new ProjectionUnavailable({ cause: new Error("away") }));
  const metrics = makeMetrics({ cache: undefined, redis: () => "ok", projection: { lag }, queue });
  assert.match(await Effect.runPromise(metrics), /^tidemark_redis_up 1$/m);
});

test.run();
