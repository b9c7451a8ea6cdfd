import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import type { Answer } from "../../../core/query/answer.ts";
import { type Horizon, makeHorizon } from "../../../core/query/horizon.ts";
import { FRESH_MS, makeSummaryCache } from "../../../core/query/summary_cache.ts";
import { SummariesUnavailable } from "../../../core/summary/summaries.ts";
import {
  type Api,
  batchOf,
  get,
  post,
  problemIn,
  requestBytes,
  send,
  startApi,
  validEvent,
} from "../api.fixture.ts";
import { SECURITY_HEADERS } from "../response/reply.ts";
import { summaryText } from "./get_summary.ts";

interface Context {
  api: Api;
  horizon: Horizon;
  memory: Map<string, Answer>;
  /** While true, the read models are unavailable. */
  models: { unavailable: boolean };
}

const test = suite<Context>("GET /accounts/:id/summary, cached");

const SHARD = 0;
const PATH = "/accounts/acme/summary";

test.before.each(async (context) => {
  const horizon = makeHorizon();
  horizon.enter(1);
  horizon.observe(SHARD, 0);
  const memory = new Map<string, Answer>();
  const models = { unavailable: false };
  const cache = Effect.runSync(
    makeSummaryCache({
      shards: 1,
      horizon,
      memory: { get: (key) => memory.get(key), put: (key, answer) => void memory.set(key, answer) },
      store: { get: () => Effect.undefined, put: () => Effect.void },
      present: summaryText,
    }),
  );
  let checkpoint = 1;
  const summary = () =>
    models.unavailable
      ? Effect.fail(new SummariesUnavailable({ cause: "unavailable" }))
      : Effect.sync(() => ({
          totals: new Map([["login", checkpoint]]),
          topUsers: [],
          asOf: Date.now(),
          checkpoint: checkpoint++,
          generation: 1,
        }));
  const api = await startApi({ cache, summaries: { summary } });
  Object.assign(context, { api, horizon, memory, models });
});
test.after.each(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

const conditional = (api: Api, tag: string, method = "GET") =>
  send(api, requestBytes(`${method} ${PATH}`, "", { "If-None-Match": tag }));

const tierOf = (headers: Readonly<Record<string, string>>): string | undefined =>
  /^cache;desc="(\w+)";dur=\d+\.\d+$/.exec(headers["server-timing"] ?? "")?.[1];

test("a cached summary and a 304 have the ID of their request", async ({ api }) => {
  const named = (id: string, tag = "") =>
    send(
      api,
      requestBytes(`GET ${PATH}`, "", { "X-Request-Id": id, ...(tag && { "If-None-Match": tag }) }),
    );
  assert.is((await named("first")).headers["x-request-id"], "first");
  const cached = await named("second");
  assert.is(tierOf(cached.headers), "lru");
  assert.is(cached.headers["x-request-id"], "second");
  const unchanged = await named("third", cached.headers["etag"]);
  assert.is(unchanged.status, 304);
  assert.is(unchanged.headers["x-request-id"], "third");
  const unnamed = await get(api, PATH);
  assert.is(tierOf(unnamed.headers), "lru");
  assert.match(unnamed.headers["x-request-id"] ?? "", /^[0-9a-f]{16}-\d+$/);
});

test("a cached summary passes CORS, limits and observation like any other response", async () => {
  const answer = { text: "{}", shard: 0, checkpoint: 0, generation: 1, asOf: 0, readAt: 0 };
  const api = await startApi({
    cache: {
      hit: () => answer,
      answer: () => Effect.succeed({ answer, tier: "miss" }),
      counts: { lru: 0, redis: 0, miss: 0 },
    },
    corsOrigins: new Set(["https://app.example.com"]),
    rateLimit: { limitLoopback: true, anonymousPerMinute: 2 },
  });
  const ask = () =>
    send(api, requestBytes(`GET ${PATH}`, "", { Origin: "https://app.example.com" }));
  await ask();
  const { status, headers } = await ask();
  assert.equal([status, tierOf(headers)], [200, "lru"]);
  assert.is(headers["access-control-allow-origin"], "https://app.example.com");
  assert.is(headers["ratelimit-remaining"], "0");
  problemIn(await ask(), 429, "rate-limited");
  await api.close();
  assert.equal(
    api.answered.map(({ route, status: observed }) => [route, observed]),
    [200, 200, 429].map((each) => ["/accounts/:id/summary", each]),
  );
});

test("Server-Timing names the source of the summary, and a cached one is byte for byte the same", async ({
  api,
}) => {
  const first = await get(api, PATH);
  const second = await get(api, PATH);
  assert.equal([tierOf(first.headers), tierOf(second.headers)], ["miss", "lru"]);
  assert.is(second.body, first.body);
  assert.is(second.headers["content-type"], "application/json; charset=utf-8");
  assert.is(first.headers["content-type"], "application/json; charset=utf-8");
  assert.is(Number(second.headers["content-length"]), Buffer.byteLength(second.body));
  const other = await get(api, `${PATH}?top=3`);
  assert.is(tierOf(other.headers), "miss");
});

test("clients may store it and must revalidate it each time", async ({ api }) => {
  for (let i = 0; i < 2; i++) {
    const { headers } = await get(api, PATH);
    assert.is(headers["cache-control"], "private, max-age=0, must-revalidate");
    assert.match(headers["etag"] ?? "", /^"[\w-]+"$/);
  }
});

test("a client that has the current summary gets 304 without a body", async ({ api }) => {
  const { headers } = await get(api, PATH);
  const tag = headers["etag"] ?? "";
  for (const asked of [tag, `"other", ${tag}`, `W/${tag}`, "*"]) {
    const answer = await conditional(api, asked);
    assert.equal([answer.status, answer.body], [304, ""], asked);
    assert.is(answer.headers["etag"], tag);
    assert.is(answer.headers["cache-control"], headers["cache-control"]);
    assert.is(answer.headers["content-type"], undefined);
    assert.is(tierOf(answer.headers), "lru");
  }
  assert.is((await conditional(api, '"other"')).status, 200);
});

test("every response has each security header once", async ({ api }) => {
  const first = await get(api, PATH);
  const cached = await get(api, PATH);
  const tag = cached.headers["etag"] ?? "";
  const answers = [first, cached, await conditional(api, tag), await conditional(api, '"other"')];
  assert.equal(
    answers.map(({ status, headers }) => [status, tierOf(headers)]),
    [
      [200, "miss"],
      [200, "lru"],
      [304, "lru"],
      [200, "lru"],
    ],
  );
  for (const { headers } of answers) {
    for (const [name, value] of Object.entries({ ...SECURITY_HEADERS, ETag: tag })) {
      assert.is(headers[name.toLowerCase()], value, name);
    }
  }
});

test("304 ends with a new event of the account, or when the summary is read again", async ({
  api,
  horizon,
  memory,
}) => {
  const first = await get(api, PATH);
  horizon.invalidate({ shard: SHARD, accounts: ["other"], lo: 0, hi: 1 });
  assert.is((await conditional(api, first.headers["etag"] ?? "")).status, 304);
  horizon.invalidate({ shard: SHARD, accounts: ["acme"], lo: 1, hi: 2 });
  const second = await conditional(api, first.headers["etag"] ?? "");
  assert.equal([second.status, tierOf(second.headers)], [200, "miss"]);
  assert.is.not(second.headers["etag"], first.headers["etag"]);
  memory.clear();
  const third = await conditional(api, second.headers["etag"] ?? "");
  assert.is(third.status, 200);
});

test("HEAD has the headers of GET", async ({ api }) => {
  const { headers, body } = await get(api, PATH);
  const connection = await fetch(`${api.url}${PATH}`, { method: "HEAD" });
  assert.is(connection.status, 200);
  assert.is(await connection.text(), "");
  assert.is(connection.headers.get("etag"), headers["etag"]);
  assert.is(Number(connection.headers.get("content-length")), Buffer.byteLength(body));
});

test("without the database only cached summaries are served", async ({ api, memory, models }) => {
  const cached = await get(api, PATH);
  models.unavailable = true;
  assert.is((await get(api, PATH)).body, cached.body);
  // No longer fresh, but not yet too old.
  for (const [key, answer] of memory) {
    memory.set(key, { ...answer, readAt: answer.readAt - FRESH_MS });
  }
  const old = await get(api, PATH);
  assert.equal([old.body, tierOf(old.headers)], [cached.body, "lru"]);
  const problem = await get(api, "/accounts/other/summary");
  problemIn(problem, 503, "unavailable");
  assert.equal([problem.headers["etag"], problem.headers["server-timing"]], [undefined, undefined]);
});

test("invalid parameters are refused every time", async ({ api }) => {
  for (let i = 0; i < 2; i++) {
    const { errors } = problemIn(await get(api, `${PATH}?top=0`), 400, "parameters-invalid");
    assert.equal(errors, [{ index: null, path: "top", message: "must be a positive integer" }]);
  }
  assert.is((await post(api, batchOf(validEvent()))).status, 202);
});

test.run();
