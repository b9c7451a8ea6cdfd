import { randomBytes } from "node:crypto";

import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Answer } from "../../core/query/answer.ts";
import { answerStoreConformance } from "../../core/query/answer_store.conformance.ts";
import { until } from "../../scripts/test/patience.ts";
import {
  redisMissing,
  type RedisServer,
  startRedisServer,
} from "../../scripts/test/redis_server.ts";
import { skipSuite } from "../../scripts/test/skip.ts";
import { ANSWER_BYTES_MAX, makeRedisAnswerStore, writeAnswer } from "./answers.ts";
import { type Connection, openConnection } from "./connection.ts";
import { makeSignature } from "./signature.ts";

const SECRET = Buffer.alloc(32, 7);

if (redisMissing !== undefined) skipSuite("answers in Redis", redisMissing);
else {
  const connect = async (url: string, namespace = "log:1"): Promise<Connection> => {
    const connection = openConnection({ url, namespace, secret: SECRET, onChange: () => {} });
    await until(() => connection.breaker.state() === "ok");
    return connection;
  };

  answerStoreConformance("redis", async () => {
    const server = await startRedisServer();
    const connection = await connect(server.url);
    return {
      store: makeRedisAnswerStore(connection),
      close: async () => {
        connection.close();
        await server.close();
      },
    };
  });

  const test = suite<{ server: RedisServer }>("answers in Redis");

  test.before(async (context) => {
    context.server = await startRedisServer();
  });
  test.after(({ server }) => server.close());

  const answer: Answer = {
    text: "text",
    shard: 1,
    checkpoint: 2,
    generation: 1,
    asOf: 3,
    readAt: 4,
  };

  test("an answer expires when it may no longer be given", async ({ server }) => {
    const connection = await connect(server.url);
    const store = makeRedisAnswerStore(connection);
    await Effect.runPromise(store.put("kept", answer, 1_234.5));
    const ttl = await connection.redis.pttl(`${connection.prefix}answer:kept`);
    assert.ok(ttl > 0 && ttl <= 1_235, `${ttl}`);
    await Effect.runPromise(store.put("short", answer, 0.1));
    await until(async () => (await Effect.runPromise(store.get("short"))) === undefined);
    connection.close();
  });

  test("an answer is not found by another log", async ({ server }) => {
    const [one, other] = [await connect(server.url), await connect(server.url, "log:2")];
    await Effect.runPromise(makeRedisAnswerStore(one).put("key", answer, 60_000));
    assert.is(await Effect.runPromise(makeRedisAnswerStore(other).get("key")), undefined);
    assert.equal(await Effect.runPromise(makeRedisAnswerStore(one).get("key")), answer);
    one.close();
    other.close();
  });

  test("other values under the key are ignored", async ({ server }) => {
    const connection = await connect(server.url);
    const place = `${connection.prefix}answer:key`;
    const store = makeRedisAnswerStore(connection);
    for (const text of ["", "text", "1 2 3\ntext", '{"text":"text"}', "1 2 x 4\ntext"]) {
      for (const kept of [text, connection.signature.sign(place, text)]) {
        await connection.redis.set(place, kept);
        assert.is(await Effect.runPromise(store.get("key")), undefined, kept);
      }
    }
    connection.close();
  });

  test("an answer that no process of the log stored under this key is ignored", async ({
    server,
  }) => {
    const connection = await connect(server.url);
    const { redis, prefix } = connection;
    const store = makeRedisAnswerStore(connection);
    const place = `${prefix}answer:key`;
    // With an `asOf` 59 s ahead of the clock, it would be given for 119 s.
    const forged = { ...answer, asOf: Date.now() + 59_000, checkpoint: 9, text: "forged" };
    const stranger = makeSignature(randomBytes(32));
    await Effect.runPromise(store.put("other", forged, 60_000));
    for (const kept of [
      writeAnswer(forged),
      stranger.sign(place, writeAnswer(forged)),
      // A genuine answer of another account.
      await redis.get(`${prefix}answer:other`),
    ]) {
      await redis.set(place, kept ?? "");
      assert.is(await Effect.runPromise(store.get("key")), undefined, String(kept));
    }
    assert.equal(await Effect.runPromise(store.get("other")), forged);
    connection.close();
  });

  test("no answer beyond the bound is stored, and no more than the bound is read", async ({
    server,
  }) => {
    const connection = await connect(server.url);
    const store = makeRedisAnswerStore(connection);
    const place = `${connection.prefix}answer:large`;
    const large = { ...answer, text: "é".repeat(ANSWER_BYTES_MAX / 2) };
    await Effect.runPromise(store.put("large", large, 60_000));
    assert.is(await connection.redis.exists(place), 0);
    await connection.redis.set(place, connection.signature.sign(place, writeAnswer(large)));
    assert.is(await Effect.runPromise(store.get("large")), undefined);
    const fits = { ...answer, text: "é".repeat(ANSWER_BYTES_MAX / 2 - 100) };
    await Effect.runPromise(store.put("large", fits, 60_000));
    assert.equal(await Effect.runPromise(store.get("large")), fits);
    connection.close();
  });

  test.run();
}
