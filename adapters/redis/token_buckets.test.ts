import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { tokenBucketsConformance } from "../../core/access/quotas.conformance.ts";
import type { TokenBuckets } from "../../core/access/quotas.ts";
import { until } from "../../scripts/test/patience.ts";
import { redisMissing, startRedisServer } from "../../scripts/test/redis_server.ts";
import { skipSuite } from "../../scripts/test/skip.ts";
import { openConnection } from "./connection.ts";
import { makeRedisTokenBuckets } from "./token_buckets.ts";

const SECRET = Buffer.alloc(32, 7);

const NEVER: TokenBuckets = {
  take: () => Effect.die("Redis is available"),
  giveBack: () => Effect.die("Redis is available"),
};

const open = async (fallback: TokenBuckets) => {
  const server = await startRedisServer();
  const connect = async () => {
    const connection = openConnection({
      url: server.url,
      namespace: "test",
      secret: SECRET,
      onChange: () => {},
    });
    await until(() => connection.breaker.state() === "ok");
    return connection;
  };
  const connection = await connect();
  return { server, connect, connection, buckets: makeRedisTokenBuckets(connection, fallback) };
};

if (redisMissing === undefined) {
  tokenBucketsConformance("redis", async () => {
    const { server, connection, buckets } = await open(NEVER);
    return {
      buckets,
      close: async () => {
        connection.close();
        await server.close();
      },
    };
  });
  const test = suite("quotas in Redis");

  test("two processes count together, or each alone while Redis is unavailable", async () => {
    const alone: TokenBuckets = { ...NEVER, take: () => Effect.succeed(42) };
    const { server, connect, connection, buckets } = await open(alone);
    const other = await connect();
    const others = makeRedisTokenBuckets(other, alone);
    const charge = (events: number) => [{ name: "a", events, perMinute: 60 }];
    const now = Date.now();
    assert.is(await Effect.runPromise(buckets.take(charge(60), now)), undefined);
    assert.is(await Effect.runPromise(others.take(charge(1), now)), 1);
    await server.kill();
    assert.is(await Effect.runPromise(buckets.take(charge(1), now)), 42);
    await server.start();
    await until(() => connection.breaker.state() === "ok");
    assert.is(await Effect.runPromise(buckets.take(charge(1), now)), undefined);
    connection.close();
    other.close();
    await server.close();
  });

  test("what was counted without Redis is given back there, even when Redis is back", async () => {
    const givenBack: unknown[] = [];
    const { server, connection, buckets } = await open({
      take: () => Effect.succeed(undefined),
      giveBack: (charges) => Effect.sync(() => givenBack.push(charges)),
    });
    const charge = () => [{ name: "a", events: 60, perMinute: 60 }];
    const now = Date.now();
    const take = (from: TokenBuckets, charges = charge()) =>
      Effect.runPromise(from.take(charges, now));
    assert.is(await take(buckets), undefined);
    await server.kill();
    const alone = charge();
    assert.is(await take(buckets, alone), undefined);
    await server.start();
    await until(() => connection.breaker.state() === "ok");
    // Redis was restarted and has lost the first charge.
    assert.is(await take(buckets), undefined);
    await Effect.runPromise(buckets.giveBack(alone, now));
    assert.is(await take(buckets), 1);
    assert.equal(givenBack, [alone]);
    connection.close();
    await server.close();
  });

  test.run();
} else skipSuite("quotas in Redis", redisMissing);
