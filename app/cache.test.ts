import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { withClient } from "../db/client.ts";
import {
  copyTestDatabase,
  createTestDatabase,
  createTestRole,
  type TestDatabase,
} from "../scripts/test/database.ts";
import { until } from "../scripts/test/patience.ts";
import { redisMissing, type RedisServer, startRedisServer } from "../scripts/test/redis_server.ts";
import { skipSuite } from "../scripts/test/skip.ts";
import {
  accept,
  anEvent,
  getJson,
  postEvents,
  totalsOf,
  untilLogins,
} from "./api_client.fixture.ts";
import { killServices, type ServiceProcess, startService } from "./service_process.fixture.ts";

/** How soon a new event must show in the summary of its account. */
const FRESH_WITHIN_MS = 1_000;

/** How soon every process must know of a new generation of the read models. */
const FLIP_KNOWN_MS = 350;

/** What a busy machine can add to either. */
const BUSY_MS = 1_000;

/** Two processes with the API and one with the other roles, on one database. */
interface Deployment {
  readonly urls: readonly [string, string];
  readonly services: ReadonlyArray<ServiceProcess>;
}

const deploy = async (environment: Readonly<Record<string, string>>): Promise<Deployment> => {
  // One after the other, so that only the first migrates.
  const first = startService({ ...environment, ROLES: "api" });
  const urls = [await first.url()];
  const second = startService({ ...environment, ROLES: "api" });
  const loops = startService({ ...environment, ROLES: "worker,projector" });
  urls.push(await second.url());
  await loops.url();
  const [one = "", two = ""] = urls;
  return { urls: [one, two], services: [first, second, loops] };
};

/** Posts events one by one and asserts that both processes show each in time. */
const assertFresh = async (
  { urls }: Deployment,
  account: string,
  rounds: number,
  before = 0,
): Promise<void> => {
  for (let round = before + 1; round <= before + rounds; round++) {
    const [posted] = urls;
    // Cached by both, so that only an invalidation can update it.
    await Promise.all(urls.map((url) => totalsOf(url, account)));
    await accept(posted, anEvent({ account_id: account }));
    const since = performance.now();
    await Promise.all(urls.map((url) => untilLogins(url, round, account)));
    const took = performance.now() - since;
    assert.ok(took < FRESH_WITHIN_MS + BUSY_MS, `round ${round} took ${took} ms`);
    const [one, two] = await Promise.all(urls.map((url) => totalsOf(url, account)));
    assert.equal(one, two);
  }
};

const tierOf = async (url: string, path: string): Promise<string | undefined> => {
  const response = await fetch(`${url}${path}`);
  await response.body?.cancel();
  return /desc="(\w+)"/.exec(response.headers.get("server-timing") ?? "")?.[1];
};

const PROJECTOR = fileURLToPath(new URL("../scripts/projector/main.ts", import.meta.url));

/** Rebuilds the read models, and asserts that both processes drop their cached answers. */
const assertVoidedByRebuild = async (
  { urls }: Deployment,
  DATABASE_URL: string,
): Promise<ReadonlyArray<string | undefined>> => {
  const path = "/accounts/quiet/summary";
  for (const url of urls) {
    await until(async () => (await tierOf(url, path)) === "lru", "nothing is ever cached");
  }
  const rebuilt = promisify(execFile)(process.execPath, [PROJECTOR], {
    env: { ...process.env, DATABASE_URL },
  });
  // A cached answer is served for a minute unless it is invalidated.
  const voided = urls.map(async (url) => {
    let tier: string | undefined = "lru";
    await until(async () => {
      tier = await tierOf(url, path);
      return tier !== "lru";
    }, "it keeps serving the cached answer");
    return tier;
  });
  await rebuilt;
  const since = performance.now();
  const tiers = await Promise.all(voided);
  const took = performance.now() - since;
  assert.ok(took < FLIP_KNOWN_MS + BUSY_MS, `it took ${took} ms`);
  for (const url of urls) {
    await until(async () => (await tierOf(url, path)) === "lru", "nothing is cached any more");
  }
  return tiers;
};

const redisOf = async (url: string): Promise<string | undefined> =>
  (await getJson<{ checks: Record<string, string> }>(`${url}/readyz`)).checks["redis"];

const test = suite<{ database: TestDatabase }>("the cache without Redis");

test.before.each(async (context) => {
  context.database = await createTestDatabase();
});
test.after.each(killServices);
test.after.each(({ database }) => database.drop());

test("processes that share only the database show new events within a second", async ({
  database,
}) => {
  const deployment = await deploy({ DATABASE_URL: database.url });
  await assertFresh(deployment, "acme", 5);
  const [url] = deployment.urls;
  assert.is(await redisOf(url), undefined);
  const path = "/accounts/quiet/summary";
  await until(async () => (await tierOf(url, path)) === "lru", "nothing is ever cached");
});

test("a rebuild invalidates the cached answers of every process", async ({ database }) => {
  const deployment = await deploy({ DATABASE_URL: database.url });
  await accept(deployment.urls[0], anEvent({ account_id: "quiet" }));
  await untilLogins(deployment.urls[1], 1, "quiet");
  assert.equal(await assertVoidedByRebuild(deployment, database.url), ["miss", "miss"]);
  await assertFresh(deployment, "acme", 2);
});

test.run();

if (redisMissing !== undefined) skipSuite("the cache with Redis", redisMissing);
else {
  interface Context {
    database: TestDatabase;
    redis: RedisServer;
  }

  const withRedis = suite<Context>("the cache with Redis");

  withRedis.before.each(async (context) => {
    context.database = await createTestDatabase();
    context.redis = await startRedisServer();
  });
  withRedis.after.each(killServices);
  withRedis.after.each(async ({ database, redis }) => {
    await database.drop();
    await redis.close();
  });

  withRedis(
    "processes share what they read, and show new events within a second",
    async ({ database, redis }) => {
      const deployment = await deploy({ DATABASE_URL: database.url, REDIS_URL: redis.url });
      const [one, two] = deployment.urls;
      await until(async () => (await redisOf(one)) === "ok", "Redis is not used");
      await until(async () => (await redisOf(two)) === "ok", "Redis is not used");
      await assertFresh(deployment, "acme", 5);
      let accounts = 0;
      await until(async () => {
        const path = `/accounts/shared-${++accounts}/summary`;
        return (await tierOf(one, path)) === "miss" && (await tierOf(two, path)) === "redis";
      }, "it never gets the other process's answers");
    },
  );

  withRedis(
    "a rebuild invalidates the answers that processes share",
    async ({ database, redis }) => {
      const deployment = await deploy({ DATABASE_URL: database.url, REDIS_URL: redis.url });
      for (const url of deployment.urls) {
        await until(async () => (await redisOf(url)) === "ok", "Redis is not used");
      }
      await accept(deployment.urls[0], anEvent({ account_id: "quiet" }));
      await untilLogins(deployment.urls[1], 1, "quiet");
      const tiers = await assertVoidedByRebuild(deployment, database.url);
      assert.ok(tiers.includes("miss"), `nobody read the new generation, but ${tiers.join(", ")}`);
      await assertFresh(deployment, "acme", 2);
    },
  );

  withRedis(
    "while Redis dies, stalls and recovers, new events still show within a second, and its state is reported",
    async ({ database, redis }) => {
      const deployment = await deploy({ DATABASE_URL: database.url, REDIS_URL: redis.url });
      const [url] = deployment.urls;
      await assertFresh(deployment, "acme", 2);
      redis.signal("SIGSTOP");
      await assertFresh(deployment, "acme", 2, 2);
      await until(
        async () => (await redisOf(url))?.startsWith("unavailable: ") === true,
        "it is not reported",
      );
      redis.signal("SIGCONT");
      await until(async () => (await redisOf(url)) === "ok", "it does not come back");
      await assertFresh(deployment, "acme", 2, 4);
      await redis.kill();
      await assertFresh(deployment, "acme", 2, 6);
      await until(
        async () => /ECONNREFUSED/.test((await redisOf(url)) ?? ""),
        "it is not reported",
      );
      await redis.start();
      await until(async () => (await redisOf(url)) === "ok", "it does not come back");
      await assertFresh(deployment, "acme", 2, 8);
      const exits = await Promise.all(deployment.services.map((service) => service.stop()));
      assert.equal(exits, [0, 0, 0]);
      for (const service of deployment.services) {
        assert.not.match(service.output(), /ERROR|Unhandled|stack/i);
      }
    },
  );

  withRedis(
    "a restored copy that uses the Redis of its original shares neither answers nor limits with it",
    async ({ database, redis }) => {
      const first = startService({ DATABASE_URL: database.url });
      await accept(await first.url(), anEvent());
      await untilLogins(await first.url(), 1);
      assert.is(await first.stop(), 0);
      const restored = await copyTestDatabase(database);
      try {
        const settings = { REDIS_URL: redis.url, ACCOUNT_EVENTS_PER_MINUTE: "10" };
        const original = startService({ ...settings, DATABASE_URL: database.url });
        const copy = startService({ ...settings, DATABASE_URL: restored.url });
        const urls = [await original.url(), await copy.url()] as const;
        for (const url of urls) {
          await until(async () => (await redisOf(url)) === "ok", "Redis is not used");
        }
        await accept(urls[0], anEvent(), anEvent());
        await untilLogins(urls[0], 3);
        await until(
          async () => Number(await redis.run("DBSIZE")) > 0,
          "nothing is kept in Redis, so the test could not fail",
        );
        assert.is((await totalsOf(urls[1]))["login"], 1);

        const limited = Array.from({ length: 10 }, () => anEvent({ account_id: "limited" }));
        await accept(urls[0], ...limited);
        const more = Array.from({ length: 10 }, () => anEvent({ account_id: "limited" }));
        assert.is((await postEvents(urls[0], more)).status, 429);
        await accept(urls[1], ...limited);
      } finally {
        await killServices();
        await restored.drop();
      }
    },
  );

  withRedis(
    "a database that cannot be identified shares nothing in Redis, and the service says so",
    async ({ database, redis }) => {
      await withClient(database.url, (client) =>
        client.query("revoke execute on function pg_control_system() from public"),
      );
      const role = await createTestRole();
      const service = startService({
        DATABASE_URL: role.on(database),
        MIGRATION_DATABASE_URL: database.url,
        REDIS_URL: redis.url,
      });
      try {
        const url = await service.url();
        await accept(url, anEvent());
        await untilLogins(url, 1);
        assert.match((await redisOf(url)) ?? "", /pg_control_system/);
        assert.is(await redis.run("DBSIZE"), 0);
        assert.is(await service.stop(), 0);
        assert.match(service.output(), /Redis is not used.*pg_control_system/s);
      } finally {
        await killServices();
        await withClient(database.url, (client) => client.query(`drop owned by ${role.name}`));
        await role.drop();
      }
    },
  );

  withRedis(
    "a wrong password is reported without the secret, and everything else works",
    async ({ database, redis }) => {
      await redis.run("CONFIG", "SET", "requirepass", "right-secret");
      const REDIS_URL = redis.url.replace("//", "//:wrong-secret@");
      const service = startService({ DATABASE_URL: database.url, REDIS_URL });
      const url = await service.url();
      await accept(url, anEvent());
      await untilLogins(url, 1);
      await until(async () => /WRONGPASS/.test((await redisOf(url)) ?? ""), "it is not reported");
      assert.is(await service.stop(), 0);
      assert.match(service.output(), /Redis unavailable.*WRONGPASS/s);
      assert.not.match(service.output(), /secret/);
    },
  );

  withRedis.run();
}
