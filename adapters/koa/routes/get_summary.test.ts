import { suite } from "uvu";
import * as assert from "uvu/assert";

import { accept, type Api, json, startApi, validEvent } from "../api.fixture.ts";

const test = suite<{ api: Api }>("GET /accounts/:id/summary");

test.before.each(async (context) => {
  context.api = await startApi();
});
test.after.each(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

test("a summary counts by type and names the most active users of exactly its range", async ({
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

test("both windows end now and have their length; the shorter one is the default", async ({
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

test("an unknown account has an empty summary, whatever its ID", async ({ api }) => {
  for (const id of ["nobody", "a/b", "a?b#c", "sample", "...", "😀", "'; drop table events; --"]) {
    const path = `/accounts/${encodeURIComponent(id)}/summary`;
    const { account_id, totals, top_users } = await json(api, path);
    assert.equal({ account_id, totals, top_users }, { account_id: id, totals: {}, top_users: [] });
  }
});

test.run();
