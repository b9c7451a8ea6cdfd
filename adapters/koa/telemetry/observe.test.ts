import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { QueueFull } from "../../../core/queue/queue.ts";
import {
  type Api,
  batchOf,
  get,
  post,
  requestBytes,
  send,
  startApi,
  validEvent,
} from "../api.fixture.ts";
import { openConnection } from "../server/connection.fixture.ts";
import type { ResponseRecord } from "./observe.ts";

const test = suite("observing requests");

/** Returns when so many requests have ended. */
const over = async (api: Api, requests: number): Promise<void> => {
  while (api.answered.length < requests) await new Promise((resolve) => setImmediate(resolve));
};

const recordOf = async (api: Api, ask: () => Promise<unknown>) => {
  const before = api.answered.length;
  await ask();
  await over(api, before + 1);
  const { seconds, request_id: id, ...reported } = api.answered[before] as ResponseRecord;
  assert.ok(seconds >= 0 && seconds < 10, `${seconds} s`);
  assert.ok(id === undefined || id.length > 0);
  return { ...reported, problem: reported.problem };
};

test("each request is reported with its route pattern, method, status and problem", async () => {
  const api = await startApi();
  const reported = (line: string) => recordOf(api, () => send(api, requestBytes(line)));
  const expected = (method: string, route: string, status: number, problem?: string) => ({
    route,
    method,
    status,
    problem,
  });
  assert.equal(
    await recordOf(api, () => post(api, batchOf(validEvent()))),
    expected("POST", "/events", 202),
  );
  assert.equal(
    await recordOf(api, () => post(api, "{")),
    expected("POST", "/events", 400, "json-malformed"),
  );
  assert.equal(
    await reported("GET /jobs/made-up-by-a-client"),
    expected("GET", "/jobs/:id", 404, "job-unknown"),
  );
  assert.equal(
    await reported("GET /accounts/acme/summary"),
    expected("GET", "/accounts/:id/summary", 200),
  );
  assert.equal(await reported("GET /accounts/sample"), expected("GET", "/accounts/sample", 200));
  assert.equal(await reported("GET /healthz"), expected("GET", "/healthz", 200));
  assert.equal(
    await reported("GET /no/such/thing"),
    expected("GET", "unmatched", 404, "route-unknown"),
  );
  assert.equal(
    await reported("DELETE /events"),
    expected("DELETE", "unmatched", 405, "method-not-allowed"),
  );
  assert.equal(
    await reported("PURGE /events"),
    expected("OTHER", "unmatched", 405, "method-not-allowed"),
  );
  assert.equal(await reported("GET /%zz"), expected("GET", "unmatched", 400, "path-malformed"));
  await api.close();
});

test("a request that is refused before the router counts for its route", async () => {
  const api = await startApi({
    rateLimit: { anonymousPerMinute: 1, limitLoopback: true },
    refusal: () => new QueueFull({ retryAfterSeconds: 7 }),
  });
  const ask = () => post(api, batchOf(validEvent()));
  assert.is((await recordOf(api, ask)).problem, "queue-full");
  assert.equal(await recordOf(api, ask), {
    route: "/events",
    method: "POST",
    status: 429,
    problem: "rate-limited",
  });
  await api.close();
});

test("a cached response is reported like any other", async () => {
  const cached = {
    text: "{}",
    shard: 0,
    checkpoint: 0,
    generation: 1,
    asOf: Date.now(),
    readAt: Date.now(),
  };
  const api = await startApi({
    cache: {
      hit: () => cached,
      answer: () => Effect.succeed({ answer: cached, tier: "miss" }),
      counts: { lru: 0, redis: 0, miss: 0 },
    },
  });
  const ask = () => get(api, "/accounts/acme/summary");
  const first = await recordOf(api, ask);
  const second = await recordOf(api, ask);
  assert.match((await get(api, "/accounts/acme/summary")).headers["server-timing"] ?? "", "lru");
  assert.is(second.route, "/accounts/:id/summary");
  assert.equal({ ...second, problem: undefined }, first);
  await api.close();
});

test("a client that leaves early is not reported as a failure", async () => {
  let arrived = (): void => {};
  const asked = new Promise<void>((resolve) => (arrived = resolve));
  const api = await startApi({
    limits: { answerTimeoutMs: 300 },
    summaries: {
      sampleAccounts: () =>
        Effect.andThen(
          Effect.sync(() => arrived()),
          Effect.never,
        ),
    },
  });
  const connection = await openConnection(api.url);
  connection.write(requestBytes("GET /accounts/sample"));
  await asked;
  connection.reset();
  await over(api, 1);
  assert.is(api.answered[0]?.status, 499);
  assert.is(api.answered[0]?.route, "/accounts/sample");
  await api.close();
});

test.run();
