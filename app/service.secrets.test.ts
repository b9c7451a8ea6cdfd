import { randomUUID } from "node:crypto";

import * as assert from "uvu/assert";

import { makeApiKeyAdmin } from "../adapters/postgres/api_key_admin.ts";
import { hashSecret } from "../adapters/postgres/api_keys.ts";
import { databaseOf } from "../adapters/postgres/pool.ts";
import { formatApiKey, newApiKey } from "../core/access/api_key.ts";
import { withClient } from "../db/client.ts";
import { until } from "../scripts/test/patience.ts";
import { redisMissing, type RedisServer, startRedisServer } from "../scripts/test/redis_server.ts";
import { skipSuite } from "../scripts/test/skip.ts";
import { anEvent } from "./api_client.fixture.ts";
import { startService } from "./service_process.fixture.ts";
import { serviceSuite } from "./service_suite.fixture.ts";
import { makeTcpGate } from "./tcp_gate.fixture.ts";

const test = serviceSuite<{ redis: RedisServer }>("secrets", {
  before: async (context) => {
    context.redis = await startRedisServer();
  },
  after: ({ redis }) => redis.close(),
});

const aKey = () => newApiKey(crypto.getRandomValues(new Uint8Array(55)));

/**
 * The forms in which a secret could be printed; of Base64 all but the end, which depends on what
 * follows.
 */
const formsOf = (secret: string): ReadonlyArray<string> => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString("base64").slice(0, -4),
];

for (const LOG_FORMAT of ["json", "pretty"]) {
  test(`no log line and no response contains one, whatever happens (${LOG_FORMAT})`, async (context) => {
    const { database, owner, redis } = context;
    const roleUrl = new URL(owner.on(database));
    const redisPassword = `redis secret ${randomUUID()}`;
    const redisUrl = new URL(redis.url);
    redisUrl.password = redisPassword;
    const [good, revoked, unknown] = [aKey(), aKey(), aKey()];
    const gate = await makeTcpGate(roleUrl.href);
    await gate.open();
    await redis.run("CONFIG", "SET", "requirepass", redisPassword);

    const service = startService({
      DATABASE_URL: gate.url,
      REDIS_URL: redisUrl.href,
      AUTH: "required",
      LOG_LEVEL: "debug",
      LOG_FORMAT,
    });
    const url = await service.url();
    await withClient(database.url, async (client) => {
      const keys = makeApiKeyAdmin(databaseOf(client));
      const grant = { name: "", accountId: null, accountPrefix: null };
      const limits = { requestsPerMinute: null, eventsPerMinute: 1 };
      for (const key of [good, revoked]) {
        await keys.create(key.id, hashSecret(key.secret), {
          ...grant,
          ...limits,
          scopes: ["admin"],
        });
      }
      await keys.revoke(revoked.id, 0);
    });

    const answers: string[] = [];
    const ask = async (path: string, init?: RequestInit): Promise<number> => {
      const answer = await fetch(`${url}${path}`, init);
      answers.push(JSON.stringify([...answer.headers]), await answer.text());
      return answer.status;
    };
    const round = async (): Promise<void> => {
      for (const key of [good, revoked, unknown]) {
        const text = formatApiKey(key);
        const basic = `Basic ${Buffer.from(`${text}:`).toString("base64")}`;
        for (const Authorization of [`Bearer ${text}`, basic, text, `Digest ${text}`]) {
          const headers = { Authorization, "Content-Type": "application/json" };
          const body = JSON.stringify({ events: [anEvent()] });
          await ask("/events", { method: "POST", headers, body });
          await ask("/events", { method: "POST", headers, body: "{" });
          for (const path of ["/accounts/acme/summary", "/metrics", "/readyz", "/nothing"]) {
            await ask(path, { headers });
          }
        }
      }
    };
    await until(async () => {
      const status = await ask("/accounts/acme/summary", {
        headers: { Authorization: `Bearer ${formatApiKey(good)}` },
      });
      return status === 200;
    }, "the key is not known");
    await round();
    // New connections to Redis and to the database need another password.
    await redis.kill();
    await redis.start("--requirepass", "another");
    await withClient(database.url, (client) =>
      client.query(`alter role ${owner.name} password 'another'`),
    );
    await gate.hangUp();
    await gate.open();
    await round();
    await gate.close();
    await round();
    await service.prints(/Redis unavailable/);
    await service.stop();

    const told = `${service.output()}\n${answers.join("\n")}`;
    for (const each of ["unauthenticated", "quota-exceeded", "unavailable"]) {
      assert.match(told, `urn:tidemark:problem:${each}`);
    }
    const secrets = [
      roleUrl.password,
      redisPassword,
      ...[good, revoked, unknown].flatMap((key) => [key.secret, formatApiKey(key)]),
    ];
    for (const form of secrets.flatMap(formsOf)) {
      assert.not.ok(told.includes(form), `${form} in ${told}`);
    }
    await gate.close();
  });
}

if (redisMissing === undefined) test.run();
else skipSuite("secrets", redisMissing);
