import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  accept,
  type Api,
  batchOf,
  json,
  post,
  postBytes,
  refusal,
  startApi,
  validEvent,
} from "../api.fixture.ts";
import { BODY_BYTES_MAX } from "../limits.ts";

const test = suite<{ api: Api }>("POST /events");

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

test.before.each(async (context) => {
  context.api = await startApi();
});
test.after.each(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

test("a batch gets 202 with the ID of its job and the number of its events", async ({ api }) => {
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

test("1,000 events of nearly 1 MiB are accepted", async ({ api }) => {
  const filler = "x".repeat(850);
  const items = Array.from({ length: 1_000 }, () => validEvent({ metadata: { filler } }));
  const body = batchOf(...items);
  assert.ok(body.length > BODY_BYTES_MAX * 0.9 && body.length <= BODY_BYTES_MAX, `${body.length}`);
  assert.is((await post(api, body)).status, 202);
  assert.is(await api.drain(), 1_000);
});

test("identifiers of 255 characters in any script, and metadata 32 levels deep, are accepted", async ({
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

test("timestamps up to the limits are accepted, with any offset", async ({ api }) => {
  const iso = (ms: number): string => new Date(Date.now() + ms).toISOString();
  const local = iso(3_600_000).replace("Z", "+01:00");
  const timestamps = [iso(290_000), iso(-3_652.9 * 86_400_000), local];
  await accept(api, ...timestamps.map((timestamp) => validEvent({ timestamp })));
  assert.is(await api.drain(), 3);
});

for (const [what, body, path] of [
  ["null", "null", ""],
  ["a list of events", "[]", ""],
  ["a string", '"events"', ""],
  ["an empty object", "{}", "events"],
  ["events that are null", '{"events":null}', "events"],
  ["events that are an object", '{"events":{"0":{}}}', "events"],
  ["events that are a string", '{"events":"all"}', "events"],
  ["a second field", '{"events":[],"mode":"fast"}', "mode"],
  ["a prototype", '{"events":[],"__proto__":{"polluted":1}}', "__proto__"],
  ["events in the prototype only", '{"__proto__":{"events":[]}}', "events"],
] as const) {
  test(`JSON that is not a batch is refused: ${what}`, async ({ api }) => {
    const { errors } = await refusal(api, postBytes(body), 400, "batch-malformed");
    assert.is(errors[0]?.index, null);
    assert.is(errors[0]?.path, path);
    assert.is(Reflect.get({}, "polluted"), undefined);
  });
}

test("a batch of no events is refused, and one of 1,001", async ({ api }) => {
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

test.run();
