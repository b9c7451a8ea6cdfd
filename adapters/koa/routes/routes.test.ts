import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  type Api,
  batchOf,
  get,
  post,
  postBytes,
  problemIn,
  refusal,
  startApi,
  validEvent,
} from "../api.fixture.ts";
import { BODY_BYTES_MAX } from "../limits.ts";

const test = suite<{ api: Api }>("the routes of the API");

test.before.each(async (context) => {
  context.api = await startApi();
});
test.after.each(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const accept = async (api: Api, ...items: ReadonlyArray<unknown>): Promise<string> => {
  const answer = await post(api, batchOf(...items));
  assert.is(answer.status, 202, answer.body);
  return (JSON.parse(answer.body) as { jobId: string }).jobId;
};

const json = async (api: Api, path: string): Promise<Record<string, unknown>> => {
  const answer = await get(api, path);
  assert.is(answer.status, 200, answer.body);
  return JSON.parse(answer.body) as Record<string, unknown>;
};

test("a batch is answered with 202, the id of its job and the number of its events", async ({
  api,
}) => {
  const { status, headers, body } = await post(api, batchOf(validEvent(), validEvent()));
  assert.is(status, 202);
  assert.match(headers["content-type"] ?? "", /^application\/json/);
  assert.is(headers["x-content-type-options"], "nosniff");
  for (const header of ["server", "x-powered-by"]) assert.is(headers[header], undefined);
  const { jobId, ...rest } = JSON.parse(body) as { jobId: string };
  assert.match(jobId, UUID);
  assert.equal(rest, { statusCode: 202, queued: 2 });
  assert.is(headers["location"], `/jobs/${jobId}`);
  assert.is(await api.drain(), 2);
});

test("1,000 events of nearly 1 MiB are taken", async ({ api }) => {
  const filler = "x".repeat(850);
  const items = Array.from({ length: 1_000 }, () => validEvent({ metadata: { filler } }));
  const body = batchOf(...items);
  assert.ok(body.length > BODY_BYTES_MAX * 0.9 && body.length <= BODY_BYTES_MAX, `${body.length}`);
  assert.is((await post(api, body)).status, 202);
  assert.is(await api.drain(), 1_000);
});

test("identifiers of 255 characters of any script, and metadata 32 levels deep, are taken", async ({
  api,
}) => {
  const id = "😀".repeat(255);
  let metadata: object = { text: "\u0001 is storable", number: 0.1, big: 9007199254740992 };
  for (let depth = 2; depth <= 32; depth++) metadata = { metadata };
  await accept(api, validEvent({ account_id: id, event_id: id, user_id: id, metadata }));
  assert.is(await api.drain(), 1);
  const { totals } = await json(api, `/accounts/${encodeURIComponent(id)}/summary`);
  assert.equal(totals, { login: 1 });
});

test("timestamps up to the edges of what is allowed are taken, with any offset", async ({
  api,
}) => {
  const iso = (ms: number): string => new Date(Date.now() + ms).toISOString();
  const local = iso(3_600_000).replace("Z", "+01:00");
  const timestamps = [iso(290_000), iso(-3_652.9 * 86_400_000), local];
  await accept(api, ...timestamps.map((timestamp) => validEvent({ timestamp })));
  assert.is(await api.drain(), 3);
});

for (const [what, body, path] of [
  ["null", "null", ""],
  ["a list of events", "[]", ""],
  ["a text", '"events"', ""],
  ["an empty object", "{}", "events"],
  ["events that are null", '{"events":null}', "events"],
  ["events that are an object", '{"events":{"0":{}}}', "events"],
  ["events that are a text", '{"events":"all"}', "events"],
  ["a second field", '{"events":[],"mode":"fast"}', "mode"],
  ["a prototype", '{"events":[],"__proto__":{"polluted":1}}', "__proto__"],
  ["events in the prototype only", '{"__proto__":{"events":[]}}', "events"],
] as const) {
  test(`a body that is JSON but no batch is refused: ${what}`, async ({ api }) => {
    const { errors } = await refusal(api, postBytes(body), 400, "batch-malformed");
    assert.is(errors[0]?.index, null);
    assert.is(errors[0]?.path, path);
    assert.is(Reflect.get({}, "polluted"), undefined);
  });
}

test("a batch of no event is refused, and one of 1,001", async ({ api }) => {
  const empty = await refusal(api, postBytes(batchOf()), 400, "batch-empty");
  assert.equal(empty.errors, [
    { index: null, path: "events", message: "must hold 1 to 1000 events" },
  ]);
  const items = Array.from({ length: 1_001 }, () => validEvent());
  const large = await refusal(api, postBytes(batchOf(...items)), 400, "batch-too-large");
  assert.equal(large.errors, [
    { index: null, path: "events", message: "must hold 1 to 1000 events, and holds more" },
  ]);
});

test("a job tells its state and counts, which add up to what was queued, and is not cached", async ({
  api,
}) => {
  const event = validEvent();
  const conflict = { ...event, user_id: "eve" };
  const jobId = await accept(api, event, event, conflict, validEvent());
  const queued = await json(api, `/jobs/${jobId}`);
  assert.is(queued["state"], "queued");
  assert.is(queued["ended_at"], null);
  await api.drain();
  const answer = await get(api, `/jobs/${jobId}`);
  assert.is(answer.headers["cache-control"], "no-store");
  const { queued_at, ended_at, ...job } = JSON.parse(answer.body) as Record<string, unknown>;
  assert.equal(job, {
    job_id: jobId,
    state: "completed",
    queued: 4,
    appended: 2,
    duplicates: 1,
    conflicts: 1,
    retries: 0,
    failure: null,
  });
  for (const at of [queued_at, ended_at]) assert.match(String(at), /^20.*T.*Z$/);
});

test("a job that nobody knows is 404, whatever its id looks like", async ({ api }) => {
  const ids = ["00000000-0000-7000-8000-000000000001", "1", "%00", "%ED%9F%BF", "a".repeat(8_000)];
  for (const id of ids) problemIn(await get(api, `/jobs/${id}`), 404, "job-unknown");
});

test("a summary counts by type and names the most active users, over exactly its range", async ({
  api,
}) => {
  const at = (iso: string, user_id: string, type = "login") =>
    validEvent({ timestamp: iso, user_id, type });
  await accept(
    api,
    at("2026-01-31T09:59:59.999Z", "too early"),
    at("2026-01-31T10:00:00.000Z", "bob"),
    at("2026-01-31T11:30:00.000Z", "ada", "call_made"),
    at("2026-01-31T11:30:00.000Z", "ada"),
    at("2026-01-31T12:00:00.000Z", "too late"),
  );
  await api.drain();
  const range = "from=2026-01-31T11:00:00%2B01:00&to=2026-01-31T13:00:00+01:00";
  const { as_of, ...summary } = await json(api, `/accounts/acme/summary?${range}&top=1`);
  assert.equal(summary, {
    account_id: "acme",
    window: "custom",
    totals: { call_made: 1, login: 2 },
    top_users: [{ user_id: "ada", events: 2 }],
    from: "2026-01-31T10:00:00.000Z",
    to: "2026-01-31T12:00:00.000Z",
  });
  assert.ok(Math.abs(Date.parse(String(as_of)) - Date.now()) < 60_000);
});

test("both windows end now and have their length, the shorter being the default", async ({
  api,
}) => {
  for (const [query, window, hours] of [
    ["", "last_24h", 24],
    ["?window=last_24h", "last_24h", 24],
    ["?window=last_7d", "last_7d", 7 * 24],
  ] as const) {
    const summary = await json(api, `/accounts/acme/summary${query}`);
    const [from, to] = [Date.parse(String(summary["from"])), Date.parse(String(summary["to"]))];
    assert.is(summary["window"], window);
    assert.is(to - from, hours * 3_600_000);
    assert.ok(Math.abs(to - Date.now()) < 60_000);
  }
});

test("an account never seen has an empty summary, and its name may be anything that a name may be", async ({
  api,
}) => {
  for (const id of ["nobody", "a/b", "a?b#c", "sample", "...", "😀", "'; drop table events; --"]) {
    const path = `/accounts/${encodeURIComponent(id)}/summary`;
    const { account_id, totals, top_users } = await json(api, path);
    assert.equal({ account_id, totals, top_users }, { account_id: id, totals: {}, top_users: [] });
  }
});

test("a sample names accounts that have events, as many as asked", async ({ api }) => {
  assert.equal(await json(api, "/accounts/sample"), { account_ids: [] });
  const items = Array.from({ length: 150 }, (_, i) => validEvent({ account_id: `account ${i}` }));
  await accept(api, ...items);
  await api.drain();
  for (const [query, expected] of [
    ["", 10],
    ["?limit=1", 1],
    ["?limit=100", 100],
    ["?limit=101", 100],
    ["?limit=99999999999999999999", 100],
  ] as const) {
    const { account_ids } = await json(api, `/accounts/sample${query}`);
    assert.is(new Set(account_ids as string[]).size, expected, query);
  }
});

test("metrics are Prometheus text, and never kept", async ({ api }) => {
  const { status, headers, body } = await get(api, "/metrics");
  assert.is(status, 200);
  assert.is(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  assert.is(headers["cache-control"], "no-store");
  assert.is(body, "tidemark_test 1\n");
});

test.run();
