import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { Unauthenticated } from "../../../core/access/access.ts";
import { type Api, problemIn, requestBytes, send, startApi } from "../api.fixture.ts";

const test = suite("CORS");

const OURS = "https://app.example.com";
const PATH = "/accounts/acme/summary";

const ask = (api: Api, method: string, headers: Readonly<Record<string, string>>) =>
  send(api, requestBytes(`${method} ${PATH}`, "", headers));

const preflight = (api: Api, origin: string) =>
  ask(api, "OPTIONS", {
    Origin: origin,
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization",
  });

const allowed = (headers: Readonly<Record<string, string | undefined>>) =>
  Object.keys(headers).filter((name) => name.startsWith("access-control-"));

test("by default no page may call the service", async () => {
  const api = await startApi();
  assert.equal(allowed((await ask(api, "GET", { Origin: OURS })).headers), []);
  assert.equal(allowed((await preflight(api, OURS)).headers), []);
  await api.close();
});

test("pages of the configured origins may call the service; no others may", async () => {
  const api = await startApi({ corsOrigins: new Set([OURS]) });
  // Twice: the second one comes from the cache.
  for (let time = 0; time < 2; time++) {
    const { status, headers } = await ask(api, "GET", { Origin: OURS });
    assert.is(status, 200);
    assert.is(headers["access-control-allow-origin"], OURS);
    assert.is(headers["vary"], "Origin");
    assert.match(headers["access-control-expose-headers"] ?? "", "Retry-After");
    assert.is(headers["access-control-allow-credentials"], undefined);
  }
  for (const origin of [
    "https://example.com",
    "http://app.example.com",
    "https://app.example.com.evil.example",
    "https://app.example.com:8443",
    "null",
  ]) {
    const answer = await ask(api, "GET", { Origin: origin });
    assert.equal(allowed(answer.headers), [], origin);
    // A shared cache must not give the response for one origin to another.
    assert.is(answer.headers["vary"], "Origin");
    assert.equal(allowed((await preflight(api, origin)).headers), [], origin);
  }
  await api.close();
});

test("a preflight request needs no key, and refusals are readable", async () => {
  const refuse = Effect.fail(new Unauthenticated({ credential: "missing" }));
  const api = await startApi({
    corsOrigins: new Set([OURS]),
    access: { known: () => undefined, remembers: () => false, authenticate: () => refuse },
  });
  const { status, headers } = await preflight(api, OURS);
  assert.is(status, 204);
  assert.is(headers["access-control-allow-origin"], OURS);
  assert.is(headers["access-control-allow-methods"], "GET,HEAD,POST");
  assert.match(headers["access-control-allow-headers"] ?? "", "Authorization");
  assert.ok(headers["x-request-id"]);
  assert.is(headers["x-content-type-options"], "nosniff");
  const refused = await ask(api, "GET", { Origin: OURS });
  problemIn(refused, 401, "unauthenticated");
  assert.is(refused.headers["access-control-allow-origin"], OURS);
  await api.close();
});

test.run();
