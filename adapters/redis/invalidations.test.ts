import { randomBytes } from "node:crypto";

import { Effect, Exit, Scope } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { invalidationsConformance } from "../../core/projection/invalidations.conformance.ts";
import type { Invalidation } from "../../core/projection/invalidations.ts";
import {
  redisMissing,
  type RedisServer,
  startRedisServer,
  until,
} from "../../scripts/test/redis_server.ts";
import { skipSuite } from "../../scripts/test/skip.ts";
import { ANSWER_FORMAT } from "./answer_text.ts";
import { type Connection, openConnection } from "./connection.ts";
import { makeRedisInvalidations } from "./invalidations.ts";
import { makeSignature } from "./signature.ts";

const SECRET = Buffer.alloc(32, 7);

if (redisMissing !== undefined) skipSuite("invalidations over Redis", redisMissing);
else {
  const open = async (server: RedisServer): Promise<Connection> => {
    const connection = openConnection({
      url: server.url,
      namespace: "log:1",
      secret: SECRET,
      onChange: () => {},
    });
    await until("Redis is there", () => connection.breaker.state() === "ok");
    return connection;
  };
  const channel = `tidemark:log:1:${ANSWER_FORMAT}:invalidations`;
  const subscribers = async (server: RedisServer): Promise<number> => {
    const [, count] = (await server.run("PUBSUB", "NUMSUB", channel)) as [string, number];
    return count;
  };

  invalidationsConformance("redis", async () => {
    const server = await startRedisServer();
    const [first, second] = [await open(server), await open(server)];
    return {
      nodes: [makeRedisInvalidations(first), makeRedisInvalidations(second)],
      connected: (nodes) =>
        until("they are subscribed", async () => (await subscribers(server)) === nodes),
      close: async () => {
        first.close();
        second.close();
        await server.close();
      },
    };
  });

  const test = suite<{ server: RedisServer }>("invalidations over Redis");

  test.before(async (context) => {
    context.server = await startRedisServer();
  });
  test.after(({ server }) => server.close());

  const invalidation = (hi: number): Invalidation => ({ shard: 0, accounts: ["a"], lo: 0, hi });
  const listen = async (connection: Connection) => {
    const heard: number[] = [];
    const scope = Scope.makeUnsafe();
    const invalidations = makeRedisInvalidations(connection);
    const subscription = invalidations.subscribe(({ hi }) => void heard.push(hi));
    await Effect.runPromise(Effect.provideService(subscription, Scope.Scope, scope));
    return { heard, invalidations, stop: () => Effect.runPromise(Scope.close(scope, Exit.void)) };
  };

  test("a process that only publishes keeps no second connection", async ({ server }) => {
    const connection = await open(server);
    await Effect.runPromise(makeRedisInvalidations(connection).publish(invalidation(1)));
    assert.is(await subscribers(server), 0);
    connection.close();
  });

  test("after Redis was restarted what is published is heard again", async ({ server }) => {
    const [publisher, listener] = [await open(server), await open(server)];
    const { heard, stop } = await listen(listener);
    await until("it is subscribed", async () => (await subscribers(server)) === 1);
    const { publish } = makeRedisInvalidations(publisher);
    await Effect.runPromise(publish(invalidation(1)));
    await until("the first is heard", () => heard.includes(1));
    await server.kill();
    await Effect.runPromise(publish(invalidation(2)));
    await server.start();
    await until("it is subscribed again", async () => (await subscribers(server)) === 1);
    await until("Redis is there", () => publisher.breaker.state() === "ok");
    await Effect.runPromise(publish(invalidation(3)));
    await until("the third is heard", () => heard.includes(3));
    assert.equal(heard, [1, 3]);
    await stop();
    publisher.close();
    listener.close();
  });

  test("a refusal to subscribe is reported, and it is tried again until the user has the right", async ({
    server,
  }) => {
    await server.run("ACL", "SETUSER", "default", "resetchannels");
    const reported: string[] = [];
    const listener = openConnection({
      url: server.url,
      namespace: "log:1",
      secret: SECRET,
      onChange: () => {},
      onSubscribed: (refused) => reported.push(refused?.message ?? "subscribed"),
    });
    const { stop } = await listen(listener);
    await until("it is reported", () => reported.length > 0);
    assert.match(reported[0] ?? "", /^NOPERM/);
    await server.run("ACL", "SETUSER", "default", "allchannels");
    await until("it is subscribed", async () => (await subscribers(server)) === 1);
    await until("that is reported", () => reported.at(-1) === "subscribed");
    await stop();
    listener.close();
  });

  test("what is no invalidation is passed over", async ({ server }) => {
    const listener = await open(server);
    const { heard, stop } = await listen(listener);
    await until("it is subscribed", async () => (await subscribers(server)) === 1);
    const sent = { shard: 0, accounts: ["a"], lo: 0, hi: 7 };
    const messageOf = (fields: object): string =>
      JSON.stringify({ sender: "x", invalidation: { ...sent, ...fields } });
    const changes = [{ shard: -1 }, { lo: "0" }, { hi: 1.5 }, { accounts: "a" }, { accounts: [1] }];
    const signed = (message: string) => listener.signature.sign(channel, message);
    for (const message of [
      "",
      "{",
      "null",
      "[]",
      JSON.stringify({ sender: "x" }),
      JSON.stringify({ invalidation: sent }),
      ...changes.map(messageOf),
    ]) {
      await server.run("PUBLISH", channel, message);
      await server.run("PUBLISH", channel, signed(message));
    }
    // Nor is one that no process of the log sent, or not on this channel.
    const forged = messageOf({ hi: Number.MAX_SAFE_INTEGER });
    await server.run("PUBLISH", channel, forged);
    await server.run("PUBLISH", channel, makeSignature(randomBytes(32)).sign(channel, forged));
    await server.run("PUBLISH", channel, listener.signature.sign("elsewhere", forged));
    await server.run("PUBLISH", channel, signed(messageOf({})));
    await until("the good one is heard", () => heard.length > 0);
    assert.equal(heard, [7]);
    await stop();
    listener.close();
  });

  test.run();
}
