import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { Client } from "../../../core/access/principal.ts";
import { until } from "../../../scripts/test/patience.ts";
import { get, requestBytes, startApi } from "../api.fixture.ts";
import { openConnection } from "../server/connection.fixture.ts";

const test = suite("makeRespond");

test("the effect is interrupted when its client leaves, and reported as no defect", async () => {
  const seen = { begun: 0, interrupted: 0 };
  const api = await startApi({
    // Nothing here ends on its own.
    limits: { answerTimeoutMs: 60_000 },
    summaries: {
      sampleAccounts: () =>
        Effect.andThen(
          Effect.sync(() => seen.begun++),
          Effect.onInterrupt(Effect.never, () => Effect.sync(() => seen.interrupted++)),
        ),
    },
  });
  const connection = await openConnection(api.url);
  connection.write(requestBytes("GET /accounts/sample"));
  await until(() => seen.begun === 1, "it does not start");
  connection.reset();
  await until(() => seen.interrupted === 1, "it continues although its client has left");
  await until(() => api.answered.length === 1, "the request is not reported");
  assert.is(api.answered[0]?.status, 499);
  assert.equal(api.defects, []);
  await api.close();
});

test("the effect runs for the client of the request", async () => {
  const api = await startApi({
    summaries: { sampleAccounts: () => Effect.map(Client, (client) => [client]) },
  });
  const { body } = await get(api, "/accounts/sample");
  assert.equal(JSON.parse(body), { account_ids: ["address:127.0.0.1"] });
  await api.close();
});

test.run();
