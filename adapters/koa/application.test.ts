import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  type Api,
  batchOf,
  get,
  postBytes,
  problemIn,
  refusal,
  requestBytes,
  send,
  startApi,
  validEvent,
} from "./api.fixture.ts";
import { openConnection } from "./server/connection.fixture.ts";

const test = suite<{ api: Api }>("makeApplication");

test.before(async (context) => {
  context.api = await startApi();
});
test.after(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

for (const path of [
  "/",
  "/event",
  "/events/1",
  "/jobs",
  "/jobs/a/b",
  "/accounts",
  "/accounts/acme",
  "/accounts//summary",
  "/accounts/acme/summary/x",
  "/accounts/sample/x",
  "/healthz/x",
  "/%2e%2e/%2e%2e/etc/passwd",
  "//",
  "//[",
  "/\\..\\healthz",
  "/__proto__",
  "*",
  `/${"x".repeat(5_000)}`,
]) {
  test(`${path.slice(0, 30)} is 404`, async ({ api }) => {
    const { detail } = await refusal(api, requestBytes(`GET ${path}`), 404, "route-unknown");
    assert.ok(detail.length < 300);
  });
}

for (const target of [
  "/%",
  "/%zz",
  "/accounts/%E0%A4%A/summary",
  "/accounts/%C0%AF/summary",
  "/accounts/%ED%A0%BD/summary",
  "/jobs/%",
  "http://",
  "http://?window=last_7d",
  "http://[::1/healthz",
  "http://[/healthz",
  "http://%/healthz",
]) {
  test(`the unreadable target ${target} is refused`, async ({ api }) => {
    await refusal(api, requestBytes(`GET ${target}`), 400, "path-malformed");
  });
}

test("a request that a proxy may read differently is refused, and nothing after it is read", async () => {
  // With a cached summary, which is answered before the router.
  const answer = { text: "{}", shard: 0, checkpoint: 0, generation: 1, asOf: 0, readAt: 0 };
  const cached = await startApi({
    cache: {
      hit: () => answer,
      answer: () => Effect.succeed({ answer, tier: "miss" }),
      counts: { lru: 0, redis: 0, miss: 0 },
    },
  });
  assert.is((await get(cached, "/accounts/acme/summary")).status, 200);
  const smuggled = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const line of ["GET /accounts/acme/summary", "POST /events", "GET /healthz"]) {
    for (const [version, headers] of [
      ["1.1", "Host: localhost\r\nHost: evil.example"],
      ["1.1", "Host: localhost\r\nhost: localhost"],
      ["1.0", "Host: localhost\r\nHOST: evil.example"],
      ["1.1", "Host: a\r\nTransfer-Encoding: gzip, chunked"],
      ["1.1", "Host: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked"],
      ["1.1", "Host: a\r\nTransfer-Encoding: chunked, chunked"],
      ["1.1", "Host: a\r\nTransfer-Encoding: identity, chunked"],
      ["1.1", "Host: a\r\nTransfer-Encoding: chunked, gzip"],
      ["1.1", "Host: a\r\nTransfer-Encoding: xchunked"],
      ["1.0", "Host: a\r\nTransfer-Encoding: chunked"],
      ["1.1", "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5"],
      ["1.1", "Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"],
      ["1.1", "Host: a\r\nContent-Length: 5\r\nContent-Length: 6"],
      ["1.1", "Host: a\r\nContent-Length: +5"],
      ["1.1", "Host: a\r\nContent-Length : 5"],
      ["1.1", "Host: a\r\nTransfer-Encoding:\u000bchunked"],
    ] as const) {
      const connection = await openConnection(cached.url);
      connection.write(`${line} HTTP/${version}\r\n${headers}\r\n\r\n0\r\n\r\n${smuggled}`);
      const refused = await connection.answer();
      const problem = `${line} ${version} ${headers}`;
      assert.is(refused?.status, 400, problem);
      problemIn(refused, 400, "http-malformed");
      assert.is(await connection.answer(), undefined, problem);
      await connection.closed();
    }
  }
  // Valid in any case.
  const connection = await openConnection(cached.url);
  connection.write(
    "GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n" + smuggled,
  );
  for (let i = 0; i < 2; i++) assert.is((await connection.answer())?.status, 200);
  connection.reset();
  assert.equal(cached.defects, []);
  await cached.close();
});

test("an absolute target is routed by its path", async ({ api }) => {
  for (const target of ["http://elsewhere/healthz", "http://user@elsewhere:99999/healthz?x#y"]) {
    assert.is((await get(api, target)).status, 200);
  }
});

const ROUTES = [
  ["/events", "POST"],
  ["/jobs/1", "GET, HEAD"],
  ["/accounts/sample", "GET, HEAD"],
  ["/accounts/acme/summary", "GET, HEAD"],
  ["/healthz", "GET, HEAD"],
  ["/readyz", "GET, HEAD"],
] as const;
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "TRACE", "QUERY", "LINK"];
for (const [path, allowed] of ROUTES) {
  for (const method of METHODS.filter((name) => !allowed.includes(name))) {
    test(`${method} ${path} is refused with the allowed methods`, async ({ api }) => {
      const bytes = requestBytes(`${method} ${path}`, batchOf(validEvent()), {
        "Content-Type": "application/json",
      });
      const { detail } = await refusal(api, bytes, 405, "method-not-allowed");
      assert.match(detail, allowed);
      assert.is((await send(api, bytes)).headers["allow"], allowed);
    });
  }

  test(`OPTIONS ${path} lists the allowed methods`, async ({ api }) => {
    const { status, headers, body } = await send(api, requestBytes(`OPTIONS ${path}`));
    assert.is(status, 204);
    assert.is(headers["allow"], allowed);
    assert.is(body, "");
  });
}

test("HEAD is GET without the body", async ({ api }) => {
  const connection = await openConnection(api.url);
  for (const [path, status] of [
    ["/healthz", 200],
    ["/accounts/acme/summary", 200],
    ["/accounts/acme/summary?top=0", 400],
    ["/jobs/1", 404],
    ["/nowhere", 404],
    ["/events", 405],
  ] as const) {
    connection.write(requestBytes(`HEAD ${path}`));
    const answer = await connection.answer("HEAD");
    assert.is(answer?.status, status, path);
    assert.ok(Number(answer?.headers["content-length"]) > 0);
  }
  // If any response had had a body, this one would start with it.
  connection.write(requestBytes("GET /healthz"));
  assert.is((await connection.answer())?.body, '{"status":"ok"}');
  connection.reset();
});

test("the body of a GET is ignored", async ({ api }) => {
  const connection = await openConnection(api.url);
  for (let i = 0; i < 3; i++) {
    connection.write(requestBytes("GET /accounts/acme/summary", "x".repeat(100_000)));
    assert.is((await connection.answer())?.status, 200);
  }
  connection.reset();
});

test("responses name neither the server nor its framework", async ({ api }) => {
  for (const path of ["/healthz", "/accounts/sample", "/nowhere", "/jobs/1"]) {
    const { headers } = await get(api, path);
    assert.is(headers["server"], undefined);
    assert.is(headers["x-powered-by"], undefined);
    assert.is(headers["x-content-type-options"], "nosniff");
  }
});

test("health and readiness are never cached", async ({ api }) => {
  for (const path of ["/healthz", "/readyz"]) {
    const { status, headers } = await get(api, path);
    assert.is(status, 200);
    assert.is(headers["cache-control"], "no-store");
  }
});

test.run();

const phases = suite("makeApplication without the API");

const NOT_READY = { ready: false, checks: { service: "starting: no database" } };

phases("while starting, the API is 503 with Retry-After, and health is reported", async () => {
  const api = await startApi({ services: "starting", readiness: NOT_READY });
  for (const bytes of [
    postBytes(batchOf(validEvent())),
    postBytes("[", { "Content-Type": "text/plain" }),
    requestBytes("GET /accounts/acme/summary?top=0"),
    requestBytes("DELETE /events"),
    requestBytes("GET /nowhere"),
  ]) {
    const answer = await send(api, bytes);
    const { retry_after } = problemIn(answer, 503, "starting");
    assert.is(answer.headers["retry-after"], "1");
    assert.is(retry_after, 1);
  }
  assert.is((await get(api, "/healthz")).status, 200);
  const readyz = await get(api, "/readyz");
  assert.is(readyz.status, 503);
  assert.is(readyz.headers["retry-after"], "1");
  assert.equal(JSON.parse(readyz.body), { status: "not_ready", checks: NOT_READY.checks });
  await api.close();
});

phases("a process without the api role serves only health and metrics", async () => {
  const api = await startApi({ services: undefined });
  for (const path of ["/healthz", "/readyz"]) assert.is((await get(api, path)).status, 200);
  for (const path of ["/accounts/sample", "/jobs/1", "/accounts/acme/summary"]) {
    problemIn(await get(api, path), 404, "route-unknown");
  }
  problemIn(await send(api, postBytes(batchOf(validEvent()))), 404, "route-unknown");
  await api.close();
});

phases.run();
