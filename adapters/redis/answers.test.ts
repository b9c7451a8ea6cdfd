import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Answer } from "../../core/query/answer.ts";
import { answerStoreConformance } from "../../core/query/answer_store.conformance.ts";
import {
  redisMissing,
  type RedisServer,
  startRedisServer,
  until,
} from "../../scripts/test/redis_server.ts";
import { skipSuite } from "../../scripts/test/skip.ts";
import { makeRedisAnswerStore } from "./answers.ts";
import { type Connection, openConnection } from "./connection.ts";

if (redisMissing !== undefined) skipSuite("answers in Redis", redisMissing);
else {
  const connect = async (url: string, namespace = "log:1"): Promise<Connection> => {
    const connection = openConnection({ url, namespace, onChange: () => {} });
    await until("Redis is there", () => connection.breaker.state() === "ok");
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

  test("they expire when nobody may give them any more", async ({ server }) => {
    const connection = await connect(server.url);
    const store = makeRedisAnswerStore(connection);
    await Effect.runPromise(store.put("kept", answer, 1_234.5));
    const ttl = await connection.redis.pttl(`${connection.prefix}answer:kept`);
    assert.ok(ttl > 0 && ttl <= 1_235, `${ttl}`);
    await Effect.runPromise(store.put("short", answer, 0.1));
    await until(
      "it is gone",
      async () => (await Effect.runPromise(store.get("short"))) === undefined,
    );
    connection.close();
  });

  test("another log never finds them", async ({ server }) => {
    const [one, other] = [await connect(server.url), await connect(server.url, "log:2")];
    await Effect.runPromise(makeRedisAnswerStore(one).put("key", answer, 60_000));
    assert.is(await Effect.runPromise(makeRedisAnswerStore(other).get("key")), undefined);
    assert.equal(await Effect.runPromise(makeRedisAnswerStore(one).get("key")), answer);
    one.close();
    other.close();
  });

  test("what something else left under the key is no answer", async ({ server }) => {
    const connection = await connect(server.url);
    for (const text of ["", "text", "1 2 3\ntext", '{"text":"text"}', "1 2 x 4\ntext"]) {
      await connection.redis.set(`${connection.prefix}answer:key`, text);
      const got = await Effect.runPromise(makeRedisAnswerStore(connection).get("key"));
      assert.is(got, undefined, text);
    }
    connection.close();
  });

  test.run();
}
