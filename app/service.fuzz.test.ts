import { suite } from "uvu";
import * as assert from "uvu/assert";

import { CANARY, canaryEvents, makeCanaryCheck } from "../adapters/koa/openapi/canary.fixture.ts";
import { makeContract } from "../adapters/koa/openapi/contract.fixture.ts";
import type { OpenApiDocument } from "../adapters/koa/openapi/document.ts";
import { fuzz } from "../adapters/koa/openapi/fuzz.fixture.ts";
import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { until } from "../scripts/test/patience.ts";
import { createKey } from "./api_key.fixture.ts";
import { killServices, startService } from "./service_process.fixture.ts";

const test = suite<{ database: TestDatabase }>("any requests at all to the service");

test.before(async (context) => {
  context.database = await createTestDatabase();
});
test.after(killServices);
test.after(({ database }) => database.drop());

const RUNS = 2_000;

/** Outcomes that so many requests must reach. */
const REACHED = [
  "recordEvents 202",
  "recordEvents 400",
  "recordEvents 415",
  "summariseAccount 200",
  "accountTimeseries 200",
  "listEvents 200",
  "sampleAccounts 200",
  "findJob 200",
  "findJob 404",
  "metrics 200",
  "openapi 200",
  "docs 200",
  "readiness 200",
  "other method 405",
];

test(`${RUNS} random requests are each answered as the OpenAPI document says, and the service survives`, async ({
  database,
}) => {
  const service = startService({ DATABASE_URL: database.url, LOG_FORMAT: "json" });
  const url = await service.url();
  const keys = await Promise.all(
    (["admin", "write", "read"] as const).map(
      async (scope) => (await createKey(database.url, [scope])).text,
    ),
  );
  const bound = await createKey(database.url, ["read", "write"], { accountId: "fuzzed" });
  const [key = ""] = keys;
  const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };

  const now = Date.now();
  const isCanaryWell = makeCanaryCheck(url, now, headers);
  const accept = async (): Promise<number> => {
    const body = JSON.stringify({ events: canaryEvents(now) });
    const response = await fetch(`${url}/events`, { method: "POST", headers, body });
    await response.body?.cancel();
    return response.status;
  };
  assert.is(await accept(), 202);
  const isWell = () =>
    isCanaryWell().then(
      () => true,
      () => false,
    );
  await until(isWell, "the canary is not counted");

  const document = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApiDocument;
  const outcomes = await fuzz({
    url,
    contract: makeContract(document),
    schemas: document.components.schemas,
    key,
    keys: [...keys, bound.text, "bad", key.slice(0, -1)],
    canary: CANARY,
    runs: RUNS,
    isWell: isCanaryWell,
  });
  const missed = REACHED.filter((outcome) => !outcomes.has(outcome));
  assert.equal(missed, [], JSON.stringify(Object.fromEntries(outcomes)));
  assert.not.match(service.output(), "A request failed");
  assert.is(await service.stop(), 0);
});

test.run();
