import { randomBytes } from "node:crypto";

import { Effect, Exit, Scope } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { invalidationsConformance } from "../../core/projection/invalidations.conformance.ts";
import type { Invalidation } from "../../core/projection/invalidations.ts";
import { until } from "../../scripts/test/patience.ts";
import {
  redisMissing,
  type RedisServer,
  startRedisServer,
} from "../../scripts/test/redis_server.ts";
import { skipSuite } from "../../scripts/test/skip.ts";
import { type Connection, openConnection, prefixOf } from "./connection.ts";
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
    await until(() => connection.breaker.state() === "ok");
    return connection;
  };
  const channel = `${prefixOf("log:1")}invalidations`;
  const subscribers = async (server: RedisServer): Promise<number> => {
    const [, count] = (await server.run("PUBSUB", "NUMSUB", channel)) as [string, number];
    return count;
  };

  invalidationsConformance("redis", async () => {
    const server = await startRedisServer();
    const [first, second] = [await open(server), await open(server)];
    return {
      nodes: [makeRedisInvalidations(first), makeRedisInvalidations(second)],
      connected: (nodes) => until(async () => (await subscribers(server)) === nodes),
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
    const received: number[] = [];
    const scope = Scope.makeUnsafe();
    const invalidations = makeRedisInvalidations(connection);
    const subscription = invalidations.subscribe(({ hi }) => void received.push(hi));
    await Effect.runPromise(Effect.provideService(subscription, Scope.Scope, scope));
    return {
      received,
      invalidations,
      stop: () => Effect.runPromise(Scope.close(scope, Exit.void)),
    };
  };

  test("a process that only publishes opens no second connection", async ({ server }) => {
    const connection = await open(server);
    await Effect.runPromise(makeRedisInvalidations(connection).publish(invalidation(1)));
    assert.is(await subscribers(server), 0);
    connection.close();
  });

  test("after a restart of Redis, invalidations are received again", async ({ server }) => {
    const [publisher, listener] = [await open(server), await open(server)];
    const { received, stop } = await listen(listener);
    await until(async () => (await subscribers(server)) === 1);
    const { publish } = makeRedisInvalidations(publisher);
    await Effect.runPromise(publish(invalidation(1)));
    await until(() => received.includes(1));
    await server.kill();
    await Effect.runPromise(publish(invalidation(2)));
    await server.start();
    await until(async () => (await subscribers(server)) === 1);
    await until(() => publisher.breaker.state() === "ok");
    await Effect.runPromise(publish(invalidation(3)));
    await until(() => received.includes(3));
    assert.equal(received, [1, 3]);
    await stop();
    publisher.close();
    listener.close();
  });

  test("a refused subscription is reported and retried until the user has the right", async ({
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
    await until(() => reported.length > 0);
    assert.match(reported[0] ?? "", /^NOPERM/);
    await server.run("ACL", "SETUSER", "default", "allchannels");
    await until(async () => (await subscribers(server)) === 1);
    await until(() => reported.at(-1) === "subscribed");
    await stop();
    listener.close();
  });

  test("messages that are not invalidations are ignored", async ({ server }) => {
    const listener = await open(server);
    const { received, stop } = await listen(listener);
    await until(async () => (await subscribers(server)) === 1);
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
    // So are invalidations that no process of the log sent, or that were sent on another channel.
    const forged = messageOf({ hi: Number.MAX_SAFE_INTEGER });
    await server.run("PUBLISH", channel, forged);
    await server.run("PUBLISH", channel, makeSignature(randomBytes(32)).sign(channel, forged));
    await server.run("PUBLISH", channel, listener.signature.sign("elsewhere", forged));
    await server.run("PUBLISH", channel, signed(messageOf({})));
    await until(() => received.length > 0);
    assert.equal(received, [7]);
    await stop();
    listener.close();
  });

  test.run();
}
