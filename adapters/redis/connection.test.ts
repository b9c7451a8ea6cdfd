import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { TokenBuckets } from "../../core/access/quotas.ts";
import type { Answer } from "../../core/query/answer.ts";
import { until } from "../../scripts/test/patience.ts";
import {
  redisMissing,
  type RedisServer,
  startRedisServer,
} from "../../scripts/test/redis_server.ts";
import { skipSuite } from "../../scripts/test/skip.ts";
import { makeRedisAnswerStore } from "./answers.ts";
import { BACKOFF_MIN_MS } from "./breaker.ts";
import { COMMAND_TIMEOUT_MS, type Connection, openConnection } from "./connection.ts";
import { makeRedisInvalidations } from "./invalidations.ts";
import { makeRedisTokenBuckets } from "./token_buckets.ts";

const SECRET = Buffer.alloc(32, 7);

if (redisMissing !== undefined) skipSuite("a Redis that fails", redisMissing);
else {
  interface Context {
    server: RedisServer;
    connections: Connection[];
  }

  const test = suite<Context>("a Redis that fails");

  test.before.each(async (context) => {
    context.server = await startRedisServer();
    context.connections = [];
  });
  test.after.each(async ({ server, connections }) => {
    for (const connection of connections) connection.close();
    await server.close();
  });

  const connect = ({ server, connections }: Context, url = server.url): Connection => {
    const connection = openConnection({
      url,
      namespace: "log:1",
      secret: SECRET,
      onChange: () => {},
    });
    connections.push(connection);
    return connection;
  };
  const isAvailable = ({ breaker }: Connection): Promise<void> =>
    until(() => breaker.state() === "ok");
  const isUnavailable = ({ breaker }: Connection): Promise<void> =>
    until(() => breaker.state() !== "ok");

  const answer: Answer = {
    text: "text",
    shard: 1,
    checkpoint: 2,
    generation: 1,
    asOf: 3,
    readAt: 4,
  };

  /** Uses Redis in every way, none of which may fail; returns how long the reads took. */
  const use = async (connection: Connection, reads = 100) => {
    const store = makeRedisAnswerStore(connection);
    const invalidations = makeRedisInvalidations(connection);
    const took: number[] = [];
    let found = 0;
    for (let i = 0; i < reads; i++) {
      const since = performance.now();
      if ((await Effect.runPromise(store.get("key"))) !== undefined) found++;
      took.push(performance.now() - since);
    }
    await Effect.runPromise(store.put("key", answer, 60_000));
    Effect.runSync(invalidations.publish({ shard: 0, accounts: ["a"], lo: 0, hi: 1 }));
    return { found, slow: took.filter((ms) => ms > SLOW_MS), slowest: Math.max(...took) };
  };

  /** A skipped call takes microseconds; this leaves room for a busy machine. */
  const SLOW_MS = 40;
  const DEADLINE_MS = COMMAND_TIMEOUT_MS + 150;

  /** At most one of many reads waited for Redis, and that one not for long. */
  const assertBounded = ({ slow, slowest }: Awaited<ReturnType<typeof use>>): void => {
    assert.ok(slow.length <= 1, `slow: ${slow.join()}`);
    assert.ok(slowest < DEADLINE_MS, `${slowest} ms`);
  };

  test("a killed Redis costs nothing and is used again when it is back", async (context) => {
    const { server } = context;
    const connection = connect(context);
    await isAvailable(connection);
    await use(connection);
    assert.is((await use(connection)).found, 100);
    await server.kill();
    const dead = await use(connection);
    assert.is(dead.found, 0);
    assertBounded(dead);
    assert.match(connection.breaker.state(), /^unavailable: /);
    await until(() => /ECONNREFUSED/.test(connection.breaker.state()));
    await server.start();
    await isAvailable(connection);
    await use(connection);
    assert.is((await use(connection)).found, 100);
  });

  test("a Redis that accepts requests and never answers costs one short deadline", async (context) => {
    const { server } = context;
    const connection = connect(context);
    await isAvailable(connection);
    await use(connection);
    server.signal("SIGSTOP");
    const first = await use(connection);
    assertBounded(first);
    assert.is(first.slow.length, 1, "one call had to find out");
    assert.match(connection.breaker.state(), /timed out/);
    // During two probes and more, which run in the background.
    const end = performance.now() + 2.5 * BACKOFF_MIN_MS;
    const slowest: number[] = [];
    while (performance.now() < end) slowest.push((await use(connection)).slowest);
    // A busy machine may delay some calls; if they waited for Redis, all would be slow.
    const middle = slowest.toSorted((a, b) => a - b)[Math.floor(slowest.length / 2)] ?? 0;
    assert.ok(middle < COMMAND_TIMEOUT_MS / 2, `${middle} ms`);
    server.signal("SIGCONT");
    await isAvailable(connection);
    assert.is((await use(connection)).found, 100);
  });

  test("a Redis that was never available costs nothing from the first read on", async (context) => {
    const { server } = context;
    await server.kill();
    const connection = connect(context);
    assertBounded(await use(connection));
    await until(() => /ECONNREFUSED/.test(connection.breaker.state()));
  });

  test("a host that does not exist is named", async (context) => {
    const connection = connect(context, "redis://redis.invalid:6379");
    assertBounded(await use(connection));
    await until(() => /redis\.invalid/.test(connection.breaker.state()));
  });

  test("a flushed Redis is empty and stores new answers", async (context) => {
    const connection = connect(context);
    await isAvailable(connection);
    await use(connection);
    await context.server.run("FLUSHALL");
    const flushed = await use(connection);
    assert.is(flushed.found, 0);
    assertBounded(flushed);
    assert.is(connection.breaker.state(), "ok");
    assert.is((await use(connection)).found, 100);
  });

  test("a full Redis is not used until it has room, and the state says why", async (context) => {
    const { server } = context;
    const connection = connect(context);
    await isAvailable(connection);
    await server.run("CONFIG", "SET", "maxmemory-policy", "noeviction");
    await server.run("CONFIG", "SET", "maxmemory", "1");
    await use(connection);
    await isUnavailable(connection);
    assert.match(connection.breaker.state(), /maxmemory/);
    assertBounded(await use(connection));
    await server.run("CONFIG", "SET", "maxmemory", "0");
    await isAvailable(connection);
    await use(connection);
    assert.is((await use(connection)).found, 100);
  });

  test("a Redis that becomes a replica is not used, and the state says why", async (context) => {
    const { server } = context;
    const connection = connect(context);
    await isAvailable(connection);
    await server.run("REPLICAOF", "127.0.0.1", "1");
    await use(connection);
    await isUnavailable(connection);
    assert.match(connection.breaker.state(), /READONLY/);
    assertBounded(await use(connection));
    await server.run("REPLICAOF", "NO", "ONE");
    await isAvailable(connection);
  });

  const UNCOUNTED: TokenBuckets = {
    take: () => Effect.succeed(undefined),
    giveBack: () => Effect.void,
  };

  /** A right that the user lacks, the rules that revoke it, and those that restore it. */
  const PARTIAL = [
    ["a user without channels", ["resetchannels"], ["allchannels"]],
    ["a user who may not read", ["-getrange"], ["+getrange"]],
    ["a user who may not run scripts", ["-eval"], ["+eval"]],
  ] as const;
  for (const [who, revoke, restore] of PARTIAL) {
    test(`with ${who}, Redis is not used, which is reported once, until the right is restored`, async ({
      server,
    }) => {
      const reported: string[] = [];
      const connection = openConnection({
        url: server.url,
        namespace: "log:1",
        secret: SECRET,
        onChange: (state) => reported.push(state.replace(/:.*/, "")),
      });
      const buckets = makeRedisTokenBuckets(connection, UNCOUNTED);
      const work = async () => {
        await use(connection, 1);
        await Effect.runPromise(
          buckets.take([{ name: "a", events: 1, perMinute: 60_000 }], Date.now()),
        );
        await new Promise((resolve) => setTimeout(resolve, 5));
      };
      await isAvailable(connection);
      await work();
      await server.run("ACL", "SETUSER", "default", ...revoke);
      const end = performance.now() + 5_000;
      while (performance.now() < end) await work();
      assert.equal(reported, ["ok", "unavailable"]);
      assert.match(connection.breaker.state(), /^unavailable: NOPERM/);
      await server.run("ACL", "SETUSER", "default", ...restore);
      await until(async () => {
        await work();
        return connection.breaker.state() === "ok";
      });
      for (let i = 0; i < 100; i++) await work();
      assert.equal(reported, ["ok", "unavailable", "ok"]);
      connection.close();
    });
  }

  test("with a wrong password Redis is unavailable, and the state contains no secret", async (context) => {
    const { server } = context;
    await server.run("CONFIG", "SET", "requirepass", "right-secret");
    const url = new URL(server.url);
    url.password = "wrong-secret";
    const connection = connect(context, url.href);
    await until(() => /WRONGPASS/.test(connection.breaker.state()));
    assert.not.match(connection.breaker.state(), /secret/);
    assertBounded(await use(connection));

    url.password = "right-secret";
    const right = connect(context, url.href);
    await isAvailable(right);
    const none = connect(context);
    await until(() => /NOAUTH/.test(none.breaker.state()));
  });

  test("an outage and a recovery are reported once each", async ({ server }) => {
    const reported: string[] = [];
    const connection = openConnection({
      url: server.url,
      namespace: "log:1",
      secret: SECRET,
      onChange: (state) => reported.push(state.replace(/:.*/, "")),
    });
    await isAvailable(connection);
    await server.kill();
    await use(connection);
    await new Promise((resolve) => setTimeout(resolve, 2 * BACKOFF_MIN_MS));
    await server.start();
    await isAvailable(connection);
    connection.close();
    assert.equal(reported, ["ok", "unavailable", "ok"]);
  });

  test.run();
}
