import { suite } from "uvu";
import * as assert from "uvu/assert";

import { get, requestBytes, send, startApi } from "../api.fixture.ts";

const test = suite("health ahead of the routes");

const READY = { ready: true, checks: { database: "ok" } };
const UNREADY = { ready: false, checks: { service: "stopping" } };

/** Where pages of other sites may ask, the routes answer and not what is ahead of them. */
const BY_ROUTE = { corsOrigins: new Set(["https://app.example.com"]) };

for (const [path, readiness] of [
  ["/healthz", READY],
  ["/readyz", READY],
  ["/readyz", UNREADY],
] as const) {
  test(`${path} says the same as its route, ${readiness.ready ? "ready" : "not ready"}`, async () => {
    const ahead = await startApi({ readiness });
    const routed = await startApi({ readiness, ...BY_ROUTE });
    const named = requestBytes(`GET ${path}`, "", { "X-Request-Id": "probe" });
    const answers = [await send(ahead, named), await send(routed, named)].map(
      ({ status, headers, body }) => {
        const { date: _, vary: __, ...rest } = headers;
        return { status, headers: rest, body };
      },
    );
    assert.equal(answers[0], answers[1]);
    const told = [ahead, routed].map(({ answered: [first] }) => ({ ...first, seconds: 0 }));
    const { problem: _, ...routedTold } = told[1] ?? {};
    assert.equal(told[0], routedTold);
    await ahead.close();
    await routed.close();
  });
}

test("what is no plain GET of them takes the routes", async () => {
  const api = await startApi({ readiness: READY });
  assert.is((await send(api, requestBytes("HEAD /readyz"))).status, 200);
  assert.is((await send(api, requestBytes("POST /readyz"))).status, 405);
  assert.is((await get(api, "/readyz?verbose")).status, 200);
  assert.is((await send(api, Buffer.from("GET /readyz HTTP/1.1\r\n\r\n"))).status, 400);
  await api.close();
});

test.run();
