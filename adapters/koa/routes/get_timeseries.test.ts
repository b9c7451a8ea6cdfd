import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  type Api,
  get,
  problemIn,
  record,
  startApi,
  uncachedJson as json,
  validEvent,
} from "../api.fixture.ts";

const test = suite<{ api: Api }>("GET /accounts/:id/timeseries");

test.before.each(async (context) => {
  context.api = await startApi();
});
test.after.each(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

const isRecent = (iso: unknown): void => {
  assert.ok(Math.abs(Date.parse(String(iso)) - Date.now()) < 60_000, String(iso));
};

test("a time series has every bucket of the range, and counts only events in the range", async ({
  api,
}) => {
  const at = (timestamp: string, type = "login") => validEvent({ timestamp, type });
  await record(
    api,
    at("2026-01-31T09:29:59.999Z"),
    at("2026-01-31T09:30:00.000Z"),
    at("2026-01-31T11:00:00.000Z", "call_made"),
    at("2026-01-31T11:14:59.999Z"),
    at("2026-01-31T11:15:00.000Z"),
  );
  const range = "from=2026-01-31T10:30:00%2B01:00&to=2026-01-31T11:15:00Z";
  const { as_of, ...series } = await json(api, `/accounts/acme/timeseries?${range}`);
  isRecent(as_of);
  assert.equal(series, {
    account_id: "acme",
    interval: "hour",
    points: [
      { start: "2026-01-31T09:00:00.000Z", totals: { call_made: 0, login: 1 } },
      { start: "2026-01-31T10:00:00.000Z", totals: { call_made: 0, login: 0 } },
      { start: "2026-01-31T11:00:00.000Z", totals: { call_made: 1, login: 1 } },
    ],
    from: "2026-01-31T09:30:00.000Z",
    to: "2026-01-31T11:15:00.000Z",
  });
  const byDay = await json(api, `/accounts/acme/timeseries?${range}&interval=day&type=login`);
  assert.equal(byDay["points"], [{ start: "2026-01-31T00:00:00.000Z", totals: { login: 2 } }]);
});

test("without a range a time series adds up to the summary of the last 24 hours", async ({
  api,
}) => {
  const ago = (hours: number) =>
    validEvent({ timestamp: new Date(Date.now() - hours * 3_600_000).toISOString() });
  await record(api, ago(0.1), ago(5), ago(23.9), ago(24.1), ago(24 * 29));
  const sumOf = async (query: string): Promise<number> => {
    const { points } = await json<{ points: { totals: { login: number } }[] }>(
      api,
      `/accounts/acme/timeseries${query}`,
    );
    return points.reduce((sum, { totals }) => sum + totals.login, 0);
  };
  assert.is(await sumOf(""), 3);
  assert.is(await sumOf("?interval=hour"), 3);
  assert.is(await sumOf("?interval=day"), 5);
});

test("a time series of an unknown account has every bucket, up to 1,000", async ({ api }) => {
  for (const query of [
    "from=2026-01-01T00:00:00Z&to=2026-02-11T16:00:00Z",
    "interval=day&from=2026-01-01T00:00:00Z&to=2028-09-27T00:00:00Z&type=login",
  ]) {
    const { points } = await json(api, `/accounts/nobody/timeseries?${query}`);
    assert.is((points as unknown[]).length, 1_000);
  }
});

test("a time series of too many types is refused, one of a single type is not", async () => {
  const counts = Array.from({ length: 101 }, (_, i) => ({ start: 0, type: `t${i}`, events: 1 }));
  const api = await startApi({
    activity: { counts: () => Effect.succeed({ counts, asOf: Date.now() }) },
  });
  const query = "from=2026-01-01T00:00:00Z&to=2026-02-11T16:00:00Z";
  const answer = await get(api, `/accounts/acme/timeseries?${query}`);
  const { errors } = problemIn(answer, 400, "timeseries-too-large");
  assert.is(errors[0]?.path, "type");
  await api.close();
});

test("an account ID that no event can have is refused", async ({ api }) => {
  const answer = await get(api, "/accounts/a%0Ab/timeseries");
  assert.is(problemIn(answer, 400, "parameters-invalid").errors[0]?.path, "account_id");
});

test.run();
