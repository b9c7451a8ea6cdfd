import { suite } from "uvu";
import * as assert from "uvu/assert";

import { accept, type Api, json, startApi, validEvent } from "../api.fixture.ts";

const test = suite<{ api: Api }>("GET /accounts/sample");

test.before.each(async (context) => {
  context.api = await startApi();
});
test.after.each(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

test("a sample names as many accounts with events as requested", async ({ api }) => {
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

test.run();
