import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Access, Unauthenticated } from "../../../core/access/access.ts";
import { ANYONE, type Principal } from "../../../core/access/principal.ts";
import { type Api, get, problemIn, requestBytes, send, startApi } from "../api.fixture.ts";

const test = suite("rate limits");

const PATH = "/accounts/acme/summary";

const ask = (api: Api, headers: Readonly<Record<string, string>> = {}) =>
  send(api, requestBytes(`GET ${PATH}`, "", headers));

const limits = (anonymousPerMinute: number) => ({
  rateLimit: { anonymousPerMinute, limitLoopback: true },
});

test("requests up to the limit pass, and the next one gets Retry-After", async () => {
  const api = await startApi(limits(5));
  for (let i = 1; i <= 5; i++) {
    const answer = await ask(api);
    assert.is(answer.status, 200, `${i}`);
    assert.is(answer.headers["ratelimit-limit"], "5");
    assert.is(answer.headers["ratelimit-remaining"], String(5 - i));
    assert.match(String(answer.headers["ratelimit-reset"]), /^[1-9][0-9]?$/);
  }
  for (let i = 0; i < 3; i++) {
    const refused = await ask(api);
    problemIn(refused, 429, "rate-limited");
    assert.match(String(refused.headers["retry-after"]), /^[1-9][0-9]?$/);
    assert.is(refused.headers["retry-after"], refused.headers["ratelimit-reset"]);
    assert.is(refused.headers["ratelimit-remaining"], "0");
  }
  // Probes are not limited.
  assert.is((await get(api, "/healthz")).status, 200);
  await api.close();
});

test("clients on this machine are counted only if configured", async () => {
  const api = await startApi({ rateLimit: { anonymousPerMinute: 1 } });
  for (let i = 0; i < 5; i++) {
    const answer = await ask(api);
    assert.is(answer.status, 200);
    assert.is(answer.headers["ratelimit-limit"], undefined);
  }
  await api.close();
});

test("behind a proxy on this machine a cached summary counts for the client of the proxy", async () => {
  const rateLimit = { anonymousPerMinute: 3, limitLoopback: false };
  const api = await startApi({ rateLimit, proxies: 1 });
  const askKept = () => ask(api, { "X-Forwarded-For": "203.0.113.9" });
  const answers = [await askKept(), await askKept(), await askKept(), await askKept()];
  assert.equal(
    answers.map(({ status }) => status),
    [200, 200, 200, 429],
  );
  await api.close();
});

test("X-Forwarded-For counts only behind a proxy; then each client is counted by itself", async () => {
  const from = (address: string) => ({ "X-Forwarded-For": address });
  const alone = await startApi(limits(2));
  for (const [address, status] of [
    ["1.1.1.1", 200],
    ["2.2.2.2", 200],
    ["3.3.3.3", 429],
  ] as const) {
    assert.is((await ask(alone, from(address))).status, status);
  }
  await alone.close();
  const behind = await startApi({ ...limits(2), proxies: 1 });
  for (const [address, status] of [
    ["1.1.1.1", 200],
    ["9.9.9.9, 1.1.1.1", 200],
    ["8.8.8.8, 1.1.1.1", 429],
    ["2.2.2.2", 200],
    // A client that has one address of a network has all of them.
    ["2001:db8:1:2::1", 200],
    ["2001:db8:1:2:ffff::7", 200],
    ["2001:db8:1:2:0:0:0:9", 429],
    ["2001:db8:1:3::1", 200],
    ["::ffff:2.2.2.2", 200],
    ["2.2.2.2", 429],
    // Some proxies append the port.
    ["3.3.3.3:1001", 200],
    ["3.3.3.3:1002", 200],
    ["3.3.3.3", 429],
    ["[2001:db8:7::1]:1001", 200],
    ["[2001:db8:7::1]:1002", 200],
    ["2001:db8:7::2", 429],
  ] as const) {
    assert.is((await ask(behind, from(address))).status, status, address);
  }
  await behind.close();
});

test("a client without a key is one client, however the proxy spells its address", async () => {
  for (const spellings of [
    [
      "2001:db8:0:a::1",
      "2001:DB8:0:A::1",
      "2001:0db8:0000:000a:0000:0000:0000:0001",
      "2001:db8:0:a:0:0:192.0.2.1",
      "[2001:DB8::a:0:0:0:7]:4711",
      "2001:db8:0:a::1%eth0",
    ],
    [
      "203.0.113.9",
      "::ffff:203.0.113.9",
      "::FFFF:CB00:7109",
      "0:0:0:0:0:FFFF:203.0.113.9",
      "[::ffff:cb00:7109]:4711",
      "203.0.113.9:80",
    ],
  ]) {
    const behind = await startApi({ ...limits(spellings.length - 1), proxies: 1 });
    const statuses: number[] = [];
    for (const address of spellings) {
      statuses.push((await ask(behind, { "X-Forwarded-For": `198.51.100.1, ${address}` })).status);
    }
    assert.equal(statuses, [...spellings.slice(1).map(() => 200), 429]);
    await behind.close();
  }
});

/** Keys that spell out their limit, such as `7` or `none`. */
const access: Access["Service"] = {
  known: () => undefined,
  remembers: (key) => key === "remembered",
  authenticate: (key) => {
    const requestsPerMinute = Number(key);
    const principal: Principal = {
      ...ANYONE,
      keyId: key,
      requestsPerMinute: requestsPerMinute > 0 ? requestsPerMinute : undefined,
    };
    return key === "bad" || key === undefined
      ? Effect.fail(new Unauthenticated({ credential: "invalid" }))
      : Effect.succeed(principal);
  },
};

test("a key has its own limit, or none, wherever it comes from", async () => {
  const api = await startApi({ ...limits(1), access });
  const keyed = async (key: string) => (await ask(api, { Authorization: `Bearer ${key}` })).status;
  for (let i = 0; i < 20; i++) assert.is(await keyed("none"), 200);
  for (let i = 0; i < 3; i++) assert.is(await keyed("3"), 200);
  assert.is(await keyed("3"), 429);
  assert.is(await keyed("4"), 200);
  await api.close();
});

test("requests with an invalid key count like those without one", async () => {
  const api = await startApi({ ...limits(3), access });
  const guess = async () => (await ask(api, { Authorization: "Bearer bad" })).status;
  for (let i = 0; i < 3; i++) assert.is(await guess(), 401);
  assert.is(await guess(), 429);
  await api.close();
});

test("a client over its limit causes few key look-ups, and known keys keep working", async () => {
  let looks = 0;
  const counting: Access["Service"] = {
    ...access,
    authenticate: (key) => {
      looks++;
      return access.authenticate(key);
    },
  };
  const api = await startApi({ ...limits(2), access: counting });
  const bad = { Authorization: "Bearer bad" };
  const since = performance.now();
  const statuses: number[] = [];
  for (let i = 0; i < 100; i++) statuses.push((await ask(api, bad)).status);
  const seconds = Math.ceil((performance.now() - since) / 1_000);
  assert.equal(statuses, [401, 401, ...Array<number>(98).fill(429)]);
  assert.ok(looks <= 20 * (seconds + 1), `${looks} looks in ${seconds} s`);
  const refused = await ask(api, bad);
  problemIn(refused, 429, "rate-limited");
  assert.match(String(refused.headers["retry-after"]), /^[1-9][0-9]?$/);
  assert.is(refused.headers["ratelimit-limit"], "2");
  assert.is(refused.headers["ratelimit-remaining"], "0");
  assert.is(refused.headers["ratelimit-reset"], refused.headers["retry-after"]);
  assert.is((await ask(api, { Authorization: "Bearer remembered" })).status, 200);
  await api.close();
});

test("while Redis fails or hangs, the limit is enforced without it", async () => {
  let calls = 0;
  const shared = {
    redis: new Map(),
    prefix: "x:",
    call: async () => {
      calls++;
      return undefined;
    },
  };
  const api = await startApi({ rateLimit: { anonymousPerMinute: 2, limitLoopback: true, shared } });
  for (const status of [200, 200, 429]) assert.is((await ask(api)).status, status);
  assert.is(calls, 3);
  await api.close();
});

test.run();
