import { suite } from "uvu";
import * as assert from "uvu/assert";

import { get, problemIn, requestBytes, send, startApi } from "../api.fixture.ts";

const test = suite("health and metrics");

for (const [path, ready, status, body] of [
  ["/healthz", true, 200, { status: "ok" }],
  ["/healthz", false, 200, { status: "ok" }],
  ["/readyz", true, 200, { status: "ready", checks: { database: "ok" } }],
  ["/readyz", false, 503, { status: "not_ready", checks: { database: "unreachable" } }],
] as const) {
  test(`${path} is ${status} while the process is ${ready ? "ready" : "not ready"}`, async () => {
    const checks = { database: ready ? "ok" : "unreachable" };
    const api = await startApi({ readiness: { ready, checks } });
    const answer = await send(api, requestBytes(`GET ${path}`, "", { "X-Request-Id": "probe" }));
    assert.is(answer.status, status);
    assert.equal(JSON.parse(answer.body), body);
    assert.is(answer.headers["cache-control"], "no-store");
    assert.is(answer.headers["retry-after"], status === 503 ? "1" : undefined);
    assert.is(answer.headers["x-request-id"], "probe");
    await api.close();
    const [{ seconds: _, ...observed } = { seconds: 0 }] = api.answered;
    assert.equal(observed, {
      route: path,
      method: "GET",
      status,
      request_id: "probe",
      problem: undefined,
    });
  });
}

test("probes are ordinary requests", async () => {
  const api = await startApi({ readiness: { ready: true, checks: {} } });
  assert.is((await send(api, requestBytes("HEAD /readyz"))).status, 200);
  assert.is((await send(api, requestBytes("POST /readyz"))).status, 405);
  assert.is((await get(api, "/readyz?verbose")).status, 200);
  const hostless = await send(api, Buffer.from("GET /readyz HTTP/1.1\r\n\r\n"));
  problemIn(hostless, 400, "http-malformed");
  await api.close();
});

test("metrics are Prometheus text that no cache stores", async () => {
  const api = await startApi();
  const { status, headers, body } = await get(api, "/metrics");
  assert.is(status, 200);
  assert.is(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  assert.is(headers["cache-control"], "no-store");
  assert.is(body, "tidemark_test 1\n");
  await api.close();
});

test.run();
