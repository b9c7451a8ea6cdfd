import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { until } from "../scripts/test/patience.ts";
import {
  accept,
  anEvent,
  completedJob,
  postEvents,
  statusOf,
  totalsOf,
  untilLogins,
  untilReady,
} from "./api_client.fixture.ts";
import { killServices, startService } from "./service_process.fixture.ts";
import { makeTcpGate } from "./tcp_gate.fixture.ts";

const test = suite<{ database: TestDatabase }>("the service");

test.before.each(async (context) => {
  context.database = await createTestDatabase();
});
test.after.each(killServices);
test.after.each(async ({ database }) => {
  await database.drop();
});

test("processes with one role each do together what a process with all roles does", async ({
  database,
}) => {
  const settings = { DATABASE_URL: database.url };
  // All start at the same time, on a database without a schema: one of them creates it.
  const api = startService({ ...settings, ROLES: "api" });
  const loops = startService({ ...settings, ROLES: "worker,projector" });
  const [url, loopsUrl] = await Promise.all([api.url(), loops.url()]);
  const jobId = await accept(url, anEvent(), anEvent());
  const { appended } = await completedJob(url, jobId);
  assert.is(appended, 2);
  await untilLogins(url, 2);

  for (const path of ["/healthz", "/readyz"]) assert.is(await statusOf(loopsUrl, path), 200);
  const readyz = await (await fetch(`${loopsUrl}/readyz`)).json();
  assert.equal(readyz, {
    status: "ready",
    checks: { database: "ok", migrations: "ok", worker: "ok", projector: "ok" },
  });
  for (const path of ["/accounts/acme/summary", "/accounts/sample", `/jobs/${jobId}`]) {
    assert.is(await statusOf(loopsUrl, path), 404);
  }
  assert.is((await postEvents(loopsUrl, [anEvent()])).status, 404);
  assert.not.match(loops.output(), "curl");
  assert.equal(await Promise.all([api.stop(), loops.stop()]), [0, 0]);
});

test("while the database is unavailable, only cached answers are served, and the service recovers by itself", async ({
  database,
}) => {
  const gate = await makeTcpGate(database.url);
  await gate.open();
  const DATABASE_CONNECT_TIMEOUT_MS = "1000";
  const service = startService({ DATABASE_URL: gate.url, DATABASE_CONNECT_TIMEOUT_MS });
  const url = await service.url();
  await accept(url, anEvent());
  await untilLogins(url, 1);

  await gate.close();
  await until(async () => (await statusOf(url, "/readyz")) === 503, "it is still ready");
  const refused = await postEvents(url, [anEvent()]);
  assert.is(refused.status, 503);
  assert.match(refused.headers.get("retry-after") ?? "", /^[1-9][0-9]*$/);
  assert.match(await refused.text(), "urn:tidemark:problem:unavailable");
  assert.is(await statusOf(url, "/accounts/never-read/summary"), 503);
  assert.is(
    await statusOf(url, "/accounts/acme/summary"),
    200,
    "what is kept is given for a minute",
  );
  assert.is(await statusOf(url, "/healthz"), 200);

  await gate.open();
  await untilReady(url);
  await accept(url, anEvent(), anEvent());
  await untilLogins(url, 3);
  assert.is(await service.stop(), 0);
  await gate.close();
});

test("settings take effect", async ({ database }) => {
  const service = startService({
    DATABASE_URL: database.url,
    EVENT_TYPES: "order.placed, order.shipped",
    EVENT_FUTURE_MAX_SECONDS: "0",
    EVENT_AGE_MAX_DAYS: "1",
    LOG_FORMAT: "json",
    LOG_LEVEL: "info",
  });
  const url = await service.url();
  const type = "order.placed";
  const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();
  for (const [event, status] of [
    [anEvent({ type }), 202],
    [anEvent({ type: "login" }), 400],
    [anEvent({ type, timestamp: ago(-60_000) }), 400],
    [anEvent({ type, timestamp: ago(2 * 86_400_000) }), 400],
  ] as const) {
    assert.is((await postEvents(url, [event])).status, status, JSON.stringify(event));
  }
  await until(async () => (await totalsOf(url))[type] === 1, "it is not counted");
  service.kill("SIGTERM");
  assert.is(await service.ended, 0);
  const welcome =
    service
      .output()
      .split("\n")
      .find((line) => line.includes("listens on")) ?? "";
  const { message, annotations } = JSON.parse(welcome) as {
    message: string;
    annotations: { try: string[] };
  };
  assert.is(message, `Tidemark listens on ${url}`);
  assert.match(annotations.try[0] ?? "", type);
});

test.run();
