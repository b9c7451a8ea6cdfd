import { suite } from "uvu";
import * as assert from "uvu/assert";

import { accept, type Api, get, json, problemIn, startApi, validEvent } from "../api.fixture.ts";

const test = suite<{ api: Api }>("GET /jobs/:id");

test.before.each(async (context) => {
  context.api = await startApi();
});
test.after.each(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

test("a job has a state and counts that add up to the queued events, and is not cached", async ({
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

test("an unknown job is 404, whatever its ID looks like", async ({ api }) => {
  const ids = ["00000000-0000-7000-8000-000000000001", "1", "%00", "%ED%9F%BF", "a".repeat(8_000)];
  for (const id of ids) problemIn(await get(api, `/jobs/${id}`), 404, "job-unknown");
});

test.run();
