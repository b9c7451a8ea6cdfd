import { suite } from "uvu";
import * as assert from "uvu/assert";

import { withClient } from "../db/client.ts";
import { createTestDatabase, createTestRole, type TestDatabase } from "../scripts/test/database.ts";
import { until } from "../scripts/test/patience.ts";
import { redisMissing, type RedisServer, startRedisServer } from "../scripts/test/redis_server.ts";
import { skipSuite } from "../scripts/test/skip.ts";
import { anEvent } from "./api_client.fixture.ts";
import { createKey, withKeys } from "./api_key.fixture.ts";
import { killServices, startService } from "./service_process.fixture.ts";

const bearer = (key?: string): Record<string, string> =>
  key === undefined ? {} : { Authorization: `Bearer ${key}` };

const statusOf = async (url: string, key?: string): Promise<number> => {
  const answer = await fetch(`${url}/accounts/acme/summary`, { headers: bearer(key) });
  await answer.body?.cancel();
  return answer.status;
};

const post = (url: string, key: string | undefined, events: ReadonlyArray<object>) =>
  fetch(`${url}/events`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...bearer(key) },
    body: JSON.stringify({ events }),
  });

const test = suite<{ database: TestDatabase }>("access");

test.before.each(async (context) => {
  context.database = await createTestDatabase();
});
test.after.each(killServices);
test.after.each(({ database }) => database.drop());

test("without any key, a service on a public interface does not start, and says what to do", async ({
  database,
}) => {
  const settings = { DATABASE_URL: database.url, HOST: "0.0.0.0" };
  const refused = startService(settings);
  assert.is(await refused.ended, 1);
  for (const remedy of ["npm run -s keys", "AUTH=required", "HOST=127.0.0.1"]) {
    assert.match(refused.output(), remedy);
  }
  // A worker has no API.
  const worker = startService({ ...settings, ROLES: "worker" });
  await worker.url();
  assert.is(await worker.stop(), 0);
  const required = startService({ ...settings, AUTH: "required" });
  assert.is(await statusOf(await required.url()), 401);
  const { text } = await createKey(database.url, ["read"]);
  const url = await required.url();
  assert.is(await statusOf(url, text), 200);
  assert.is(await required.stop(), 0);
  // With a key it starts as it is.
  const keyed = startService(settings);
  assert.is(await statusOf(await keyed.url()), 401);
  assert.is(await keyed.stop(), 0);
});

test("quotas that become unreadable stay in force and are logged once; a service that cannot read them does not start", async ({
  database,
}) => {
  const role = await createTestRole();
  const asOwner = (sql: string) =>
    withClient(database.url, async (client) => void (await client.query(sql)));
  const settings = { DATABASE_URL: role.on(database), MIGRATION_DATABASE_URL: database.url };
  try {
    const service = startService(settings);
    const url = await service.url();
    await asOwner("insert into tidemark.account_quotas values ('limited', 5)");
    const isLimited = async () => {
      const events = Array.from({ length: 10 }, () => anEvent({ account_id: "limited" }));
      return (await post(url, undefined, events)).status === 429;
    };
    await until(isLimited, "the quota is not enforced");
    await asOwner(`revoke select on tidemark.account_quotas from ${role.name}`);
    await service.prints(/account_quotas\.all.*permission denied/s);
    await until(async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return /tidemark_background_failures_total\{task="quotas"\} [2-9]/.test(metrics);
    }, "it is not counted");
    assert.is(service.output().split("permission denied").length, 2, service.output());
    await until(isLimited, "the quota is no longer enforced");
    await asOwner(`grant select on tidemark.account_quotas to ${role.name}`);
    await service.prints(/The database accepts an operation again.*account_quotas\.all/s);
    assert.not.match(service.output(), /quotas of accounts/);
    assert.is(await service.stop(), 0);

    await asOwner(`revoke select on tidemark.account_quotas from ${role.name}`);
    const refused = startService({ ...settings, MIGRATE_ON_START: "false" });
    assert.is(await refused.ended, 1, refused.output());
    const told = refused.output().match(/permission denied for table account_quotas/gi);
    assert.is(told?.length, 1, refused.output());
    // It accepts no events, so it needs no quotas.
    const worker = startService({ ...settings, MIGRATE_ON_START: "false", ROLES: "worker" });
    await worker.url();
    assert.is(await worker.stop(), 0);
  } finally {
    await killServices();
    await asOwner(`drop owned by ${role.name}`);
    await role.drop();
  }
});

test("a service behind a proxy does not start unless every request needs a key", async ({
  database,
}) => {
  const settings = { DATABASE_URL: database.url, TRUST_PROXY: "1" };
  const refused = startService(settings);
  assert.is(await refused.ended, 1);
  assert.match(refused.output(), "TRUST_PROXY=1 needs AUTH=required");
  const service = startService({ ...settings, AUTH: "required" });
  const url = await service.url();
  for (const from of ["203.0.113.9", "127.0.0.1", "::1", "127.0.0.1, 203.0.113.9"]) {
    for (const path of ["/metrics", "/dead-letters"]) {
      const answer = await fetch(`${url}${path}`, { headers: { "X-Forwarded-For": from } });
      assert.is(answer.status, 401, `${path} ${from}`);
    }
  }
  assert.is(await service.stop(), 0);
});

test("without keys, a service is open to its machine, but not through a proxy on it", async ({
  database,
}) => {
  const service = startService({ DATABASE_URL: database.url });
  const url = await service.url();
  for (const path of ["/metrics", "/dead-letters"]) {
    for (const headers of [{ "X-Forwarded-For": "203.0.113.9" }, { Via: "1.1 proxy" }]) {
      assert.is((await fetch(`${url}${path}`, { headers })).status, 403, path);
    }
    assert.is((await fetch(`${url}${path}`)).status, 200, path);
  }
  assert.is(await service.stop(), 0);
});

test("a service is open to its machine until the first key exists", async ({ database }) => {
  const service = startService({ DATABASE_URL: database.url });
  const url = await service.url();
  assert.is(await statusOf(url), 200);
  assert.match(service.output(), "There is no API key");
  const { text } = await createKey(database.url, ["read"]);
  await until(async () => (await statusOf(url)) === 401, "it is still open");
  assert.is(await statusOf(url, text), 200);
  assert.is((await post(url, text, [anEvent()])).status, 403);
});

test("every process refuses a revoked key within five seconds", async ({ database }) => {
  const settings = { DATABASE_URL: database.url, AUTH: "required", ROLES: "api" };
  const first = startService(settings);
  await first.url();
  const second = startService(settings);
  const urls = [await first.url(), await second.url()];
  const { id, text } = await createKey(database.url, ["read"]);
  const other = await createKey(database.url, ["read"]);
  for (const url of urls) assert.is(await statusOf(url, text), 200);
  await withKeys(database.url, (keys) => keys.revoke(id, 0));
  const since = performance.now();
  for (const url of urls) {
    await until(async () => (await statusOf(url, text)) === 401, "it is still good");
  }
  assert.ok(performance.now() - since < 5_000);
  for (const url of urls) assert.is(await statusOf(url, other.text), 200);
});

test("an account over its quota is refused, and others are not affected", async ({ database }) => {
  const service = startService({ DATABASE_URL: database.url });
  const url = await service.url();
  await withKeys(database.url, (keys) => keys.setQuota("loud", 5));
  await until(async () => {
    const events = [anEvent({ account_id: "loud" })];
    return (await post(url, undefined, events)).status === 429;
  }, "the quota is never used up");
  const refused = await post(url, undefined, [anEvent({ account_id: "loud" })]);
  assert.ok(Number(refused.headers.get("retry-after")) >= 1);
  for (let i = 0; i < 20; i++) {
    assert.is((await post(url, undefined, [anEvent({ account_id: "quiet" })])).status, 202);
  }
});

test.run();

if (redisMissing === undefined) {
  const shared = suite<{ database: TestDatabase; redis: RedisServer }>(
    "limits that processes share",
  );
  shared.before.each(async (context) => {
    context.database = await createTestDatabase();
    context.redis = await startRedisServer();
  });
  shared.after.each(killServices);
  shared.after.each(async ({ database, redis }) => {
    await redis.close();
    await database.drop();
  });

  shared(
    "two processes count together, and killing Redis does not lift the limit",
    async ({ database, redis }) => {
      const settings = {
        DATABASE_URL: database.url,
        REDIS_URL: redis.url,
        ROLES: "api",
        RATE_LIMIT_ANONYMOUS: "20",
      };
      const first = startService(settings);
      await first.url();
      const second = startService(settings);
      const urls = [await first.url(), await second.url()];
      for (const url of urls) {
        await until(async () => {
          const answer = await fetch(`${url}/readyz`);
          return JSON.stringify(await answer.json()).includes('"redis":"ok"');
        }, "Redis is not available");
      }
      const statuses: number[] = [];
      for (let i = 0; i < 24; i++) statuses.push(await statusOf(urls[i % 2] ?? ""));
      assert.equal(
        statuses,
        Array.from({ length: 24 }, (_, i) => (i < 20 ? 200 : 429)),
      );
      await redis.kill();
      // Each counts for itself now, and does count. Who was refused a moment ago is refused without
      // being counted when there are too many in a second, so it takes more requests than are let
      // through.
      for (const url of urls) {
        let passed = 0;
        await until(async () => {
          const status = await statusOf(url);
          assert.ok([200, 429].includes(status), `${status}`);
          if (status === 200) passed++;
          return passed === 20;
        }, "it lets fewer than 20 requests through");
        for (let i = 0; i < 10; i++) assert.is(await statusOf(url), 429);
      }
    },
  );
  shared.run();
} else skipSuite("limits that processes share", redisMissing);
