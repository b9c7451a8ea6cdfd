import { suite } from "uvu";
import * as assert from "uvu/assert";

import { EVENT_RULES_DEFAULT } from "../../../core/event/rules.ts";
import { type Api, get, problemIn, requestBytes, send, startApi } from "../api.fixture.ts";
import { makeContract } from "../openapi/contract.fixture.ts";
import { openApiDocument } from "../openapi/document.ts";

const test = suite<{ api: Api }>("GET /openapi.json and GET /docs");

test.before(async (context) => {
  context.api = await startApi();
});
test.after(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

const document = openApiDocument(EVENT_RULES_DEFAULT);
const { operations, holds } = makeContract(document);

/** The times of the examples differ between two documents. */
const withoutExamples = (name: string, value: unknown): unknown =>
  name === "example" ? undefined : value;

test("the document is the same for every Host", async ({ api }) => {
  for (const host of ["tidemark", "evil.example"]) {
    const answer = await send(api, requestBytes("GET /openapi.json", "", { Host: host }));
    assert.equal(
      JSON.parse(answer.body, withoutExamples),
      JSON.parse(JSON.stringify(document), withoutExamples),
    );
    assert.not.match(answer.body, "evil");
  }
});

for (const path of ["/openapi.json", "/docs"]) {
  test(`${path} is as documented, and 304 for a client that has it`, async ({ api }) => {
    const operation = operations.find((each) => each.path === path);
    assert.ok(operation);
    const first = await get(api, path);
    assert.is(first.status, 200);
    holds(operation, first);
    const etag = first.headers["etag"] ?? "";
    const again = await send(api, requestBytes(`GET ${path}`, "", { "If-None-Match": etag }));
    assert.is(again.status, 304);
    holds(operation, again);
  });

  test(`${path} exists only where the API does`, async () => {
    const without = await startApi({ services: undefined });
    problemIn(await get(without, path), 404, "route-unknown");
    await without.close();
    const starting = await startApi({ services: "starting" });
    problemIn(await get(starting, path), 503, "starting");
    await starting.close();
  });
}

test("/docs/ redirects to /docs, also below a path of a proxy", async ({ api }) => {
  const { status, headers } = await get(api, "/docs/");
  assert.is(status, 308);
  const leadsTo = (path: string) =>
    new URL(headers["location"] ?? "", `http://tidemark${path}`).pathname;
  assert.is(leadsTo("/docs/"), "/docs");
  assert.is(leadsTo("/below/docs/"), "/below/docs");
});

test("the page may run only its own script and call only the service", async ({ api }) => {
  const { headers } = await get(api, "/docs");
  const policy = headers["content-security-policy"] ?? "";
  assert.match(policy, /^default-src 'none'; /);
  assert.match(policy, "connect-src 'self'");
  for (const lax of ["unsafe", "http", "*"]) assert.not.ok(policy.includes(lax));
});

test.run();
