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
import { SECURITY_HEADERS } from "../response/security_headers.ts";
import { summaryText } from "./present.ts";

interface Context {
  api: Api;
  horizon: Horizon;
  memory: Map<string, Answer>;
  /** While true, the read models cannot be read. */
  models: { away: boolean };
}

const test = suite<Context>("the summary and its cache over HTTP");

const SHARD = 0;
const PATH = "/accounts/acme/summary";

test.before.each(async (context) => {
  const horizon = makeHorizon();
  horizon.enter(1);
  horizon.observe(SHARD, 0);
  const memory = new Map<string, Answer>();
  const models = { away: false };
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
    models.away
      ? Effect.fail(new SummariesUnavailable({ cause: "away" }))
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

test("a kept answer names a request that has a name, and so does a 304", async ({ api }) => {
  const named = (id: string, tag = "") =>
    send(
      api,
      requestBytes(`GET ${PATH}`, "", { "X-Request-Id": id, ...(tag && { "If-None-Match": tag }) }),
    );
  assert.is((await named("first")).headers["x-request-id"], "first");
  const kept = await named("second");
  assert.is(tierOf(kept.headers), "lru");
  assert.is(kept.headers["x-request-id"], "second");
  const unchanged = await named("third", kept.headers["etag"]);
  assert.is(unchanged.status, 304);
  assert.is(unchanged.headers["x-request-id"], "third");
});

test("it says who answered and how long that took, and a kept answer is the same to the byte", async ({
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

test("readers may keep it and must ask each time whether it still holds", async ({ api }) => {
  for (let i = 0; i < 2; i++) {
    const { headers } = await get(api, PATH);
    assert.is(headers["cache-control"], "private, max-age=0, must-revalidate");
    assert.match(headers["etag"] ?? "", /^"[\w-]+"$/);
  }
});

test("who has the answer that would be sent gets 304 and no body", async ({ api }) => {
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

test("whatever way it is answered it carries the security headers, once each", async ({ api }) => {
  const first = await get(api, PATH);
  const kept = await get(api, PATH);
  const tag = kept.headers["etag"] ?? "";
  const answers = [first, kept, await conditional(api, tag), await conditional(api, '"other"')];
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

test("304 ends as soon as the account got a new event, or the answer was read anew", async ({
  api,
  horizon,
  memory,
}) => {
  const first = await get(api, PATH);
  horizon.announce({ shard: SHARD, accounts: ["other"], lo: 0, hi: 1 });
  assert.is((await conditional(api, first.headers["etag"] ?? "")).status, 304);
  horizon.announce({ shard: SHARD, accounts: ["acme"], lo: 1, hi: 2 });
  const second = await conditional(api, first.headers["etag"] ?? "");
  assert.equal([second.status, tierOf(second.headers)], [200, "miss"]);
  assert.is.not(second.headers["etag"], first.headers["etag"]);
  memory.clear();
  const third = await conditional(api, second.headers["etag"] ?? "");
  assert.is(third.status, 200);
});

test("HEAD tells what GET would", async ({ api }) => {
  const { headers, body } = await get(api, PATH);
  const connection = await fetch(`${api.url}${PATH}`, { method: "HEAD" });
  assert.is(connection.status, 200);
  assert.is(await connection.text(), "");
  assert.is(connection.headers.get("etag"), headers["etag"]);
  assert.is(Number(connection.headers.get("content-length")), Buffer.byteLength(body));
});

test("without the database what is kept is still given, and nothing else is", async ({
  api,
  memory,
  models,
}) => {
  const kept = await get(api, PATH);
  models.away = true;
  assert.is((await get(api, PATH)).body, kept.body);
  // No longer fresh, but not too old either.
  for (const [key, answer] of memory) {
    memory.set(key, { ...answer, readAt: answer.readAt - FRESH_MS });
  }
  const old = await get(api, PATH);
  assert.equal([old.body, tierOf(old.headers)], [kept.body, "lru"]);
  const problem = await get(api, "/accounts/other/summary");
  problemIn(problem, 503, "unavailable");
  assert.equal([problem.headers["etag"], problem.headers["server-timing"]], [undefined, undefined]);
});

test("parameters that are wrong are refused each time that they are sent", async ({ api }) => {
  for (let i = 0; i < 2; i++) {
    const { errors } = problemIn(await get(api, `${PATH}?top=0`), 400, "parameters-invalid");
    assert.equal(errors, [{ index: null, path: "top", message: "must be a positive integer" }]);
  }
  assert.is((await post(api, batchOf(validEvent()))).status, 202);
});

test.run();
