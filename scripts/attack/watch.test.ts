import { setTimeout as delay } from "node:timers/promises";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { startStub } from "./stub.fixture.ts";
import { revokeAndUse, startWatch } from "./watch.ts";

const watching = suite("startWatch");

watching("each probe uses a new connection", async () => {
  const stub = await startStub(({ headers }) => ({
    status: headers.connection === "close" ? 200 : 500,
  }));
  const watch = startWatch(stub.url);
  await delay(50);
  await watch.stop();
  await stub.close();
  assert.equal(
    watch.readyz.map(({ answer }) => answer),
    [200],
  );
  assert.equal(
    watch.healthz.map(({ answer }) => answer),
    [200],
  );
});

watching.run();

const revoking = suite("revokeAndUse");

/** Measures a service that accepts a revoked key for this long. */
const revokeAt = async (goesOnForMs: number, triedForMs: number) => {
  let revokedAt = Number.POSITIVE_INFINITY;
  const stub = await startStub(() => ({
    status: performance.now() - revokedAt >= goesOnForMs ? 401 : 200,
  }));
  const refusedAfterMs = await revokeAndUse({
    url: stub.url,
    key: "key",
    path: "/",
    triedForMs,
    signal: new AbortController().signal,
    revoke: async () => {
      revokedAt = performance.now();
    },
  });
  await stub.close();
  return refusedAfterMs;
};

revoking("it measures how long a revoked key was accepted", async () => {
  const refusedAfterMs = await revokeAt(500, 60_000);
  assert.ok(refusedAfterMs !== undefined && refusedAfterMs >= 400, `${refusedAfterMs}`);
});

revoking("the time of a key that is never refused is undefined", async () => {
  assert.is(await revokeAt(Number.POSITIVE_INFINITY, 500), undefined);
});

revoking.run();
