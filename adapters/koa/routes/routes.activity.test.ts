import { Effect } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Api, batchOf, get, post, problemIn, startApi, validEvent } from "../api.fixture.ts";

const test = suite<{ api: Api }>("the routes of an account's activity");

test.before.each(async (context) => {
  context.api = await startApi();
});
test.after.each(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

/** Has events accepted and folded. */
const record = async (api: Api, ...items: ReadonlyArray<unknown>): Promise<void> => {
  const answer = await post(api, batchOf(...items));
  assert.is(answer.status, 202, answer.body);
  await api.drain();
};

const json = async <A = Record<string, unknown>>(api: Api, path: string): Promise<A> => {
  const answer = await get(api, path);
  assert.is(answer.status, 200, answer.body);
  assert.is(answer.headers["cache-control"], "no-store");
  return JSON.parse(answer.body) as A;
};

interface Page {
  readonly account_id: string;
  readonly events: ReadonlyArray<Readonly<Record<string, unknown>>>;
  readonly next_cursor: string | null;
  readonly as_of: string;
}

const idsOf = ({ events }: Page): string => events.map((event) => event["event_id"]).join();

const isRecent = (iso: unknown): void => {
  assert.ok(Math.abs(Date.parse(String(iso)) - Date.now()) < 60_000, String(iso));
};

test("a time series has every bucket of the range, which counts what is in the range", async ({
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

test("a time series of an account never seen has every bucket, and of 1,000 points as well", async ({
  api,
}) => {
  for (const query of [
    "from=2026-01-01T00:00:00Z&to=2026-02-11T16:00:00Z",
    "interval=day&from=2026-01-01T00:00:00Z&to=2028-09-27T00:00:00Z&type=login",
  ]) {
    const { points } = await json(api, `/accounts/nobody/timeseries?${query}`);
    assert.is((points as unknown[]).length, 1_000);
  }
});

test("a time series of too many types is refused, and one of them is not", async () => {
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

test("events are shown as they were sent, newest first, with when they were recorded", async ({
  api,
}) => {
  const older = validEvent({ timestamp: "2026-01-31T09:30:00.123Z" });
  const newer = validEvent({
    account_id: "acme",
    timestamp: "2026-01-31T10:30:00.124Z",
    metadata: { b: [1, { c: null }], a: 'quotes " and \u2028', empty: {}, n: 0.1 },
  });
  await record(api, older, newer, validEvent({ account_id: "another" }));
  const { as_of, events, ...page } = await json<Page>(api, "/accounts/acme/events");
  isRecent(as_of);
  assert.equal(page, { account_id: "acme", next_cursor: null });
  const sent = events.map(({ recorded_at, ...event }) => {
    isRecent(recorded_at);
    return event;
  });
  assert.equal(sent, [newer, older]);
  assert.not.ok("metadata" in (sent[1] ?? {}), "there was none");
});

test("an account never seen has no events", async ({ api }) => {
  const { events, next_cursor } = await json<Page>(api, "/accounts/nobody/events");
  assert.equal([events, next_cursor], [[], null]);
});

test("events are asked for by time and type, with either end of the range or both", async ({
  api,
}) => {
  const minutes = [0, 1, 2, 3].map((minute) =>
    validEvent({
      event_id: `m${minute}`,
      timestamp: `2026-01-31T09:0${minute}:00Z`,
      type: minute === 2 ? "custom" : "login",
    }),
  );
  await record(api, ...minutes);
  for (const [query, expected] of [
    ["", "m3,m2,m1,m0"],
    ["?from=2026-01-31T09:01:00Z", "m3,m2,m1"],
    ["?to=2026-01-31T09:03:00Z", "m2,m1,m0"],
    ["?from=2026-01-31T10:01:00%2B01:00&to=2026-01-31T09:03:00Z", "m2,m1"],
    ["?type=login", "m3,m1,m0"],
    ["?type=login&to=2026-01-31T09:03:00Z", "m1,m0"],
    ["?type=call_made", ""],
  ] as const) {
    assert.is(idsOf(await json<Page>(api, `/accounts/acme/events${query}`)), expected, query);
  }
});

test("pages are together the list of the first one's moment, whatever is recorded between", async ({
  api,
}) => {
  const at = (event_id: string, timestamp: string) => validEvent({ event_id, timestamp });
  await record(
    api,
    ...["1", "2", "3", "4", "5"].map((id) =>
      at(id, `2026-01-31T09:0${Math.min(3, Number(id))}:00Z`),
    ),
  );
  const first = await json<Page>(api, "/accounts/acme/events?limit=2");
  assert.is(idsOf(first), "5,4");
  await record(api, at("new", new Date().toISOString()), at("late", "2026-01-31T09:01:30Z"));
  const second = await json<Page>(api, `/accounts/acme/events?limit=2&cursor=${first.next_cursor}`);
  assert.is(idsOf(second), "3,2");
  const third = await json<Page>(api, `/accounts/acme/events?cursor=${second.next_cursor}`);
  assert.is(idsOf(third), "1");
  assert.is(third.next_cursor, null);
  assert.equal([second.as_of, third.as_of], [first.as_of, first.as_of]);
  assert.is(idsOf(await json<Page>(api, "/accounts/acme/events")), "new,5,4,3,2,late,1");
});

test("a cursor holds its filter, which may be repeated beside it and not changed", async ({
  api,
}) => {
  const minutes = [0, 1, 2, 3].map((minute) =>
    validEvent({ event_id: `m${minute}`, timestamp: `2026-01-31T09:0${minute}:00Z` }),
  );
  await record(api, ...minutes, validEvent({ type: "custom" }));
  const filter = "from=2026-01-31T09:01:00Z&type=login";
  const { next_cursor } = await json<Page>(api, `/accounts/acme/events?limit=1&${filter}`);
  const cursor = `cursor=${next_cursor}`;
  for (const repeated of ["", `&${filter}`, "&from=2026-01-31T10:01:00%2B01:00"]) {
    const page = await json<Page>(api, `/accounts/acme/events?${cursor}${repeated}`);
    assert.is(idsOf(page), "m2,m1");
  }
  for (const changed of ["type=custom", "from=2026-01-31T09:00:00Z", "to=2026-02-01T00:00:00Z"]) {
    const answer = await get(api, `/accounts/acme/events?${cursor}&${changed}`);
    const { errors } = problemIn(answer, 400, "parameters-invalid");
    assert.equal(
      errors.map(({ path }) => path),
      ["cursor"],
    );
    assert.match(errors[0]?.message ?? "", `another ${changed.slice(0, changed.indexOf("="))}`);
  }
  const foreign = await get(api, `/accounts/other/events?${cursor}`);
  assert.is(problemIn(foreign, 400, "parameters-invalid").errors[0]?.path, "cursor");
});

test("a page has 100 events unless asked, at most 1,000, and about 1 MiB at most", async ({
  api,
}) => {
  await record(api, ...Array.from({ length: 150 }, () => validEvent()));
  assert.is((await json<Page>(api, "/accounts/acme/events")).events.length, 100);
  assert.is((await json<Page>(api, "/accounts/acme/events?limit=1000")).events.length, 150);

  const large = () => validEvent({ account_id: "large", metadata: { text: "x".repeat(32_000) } });
  for (let i = 0; i < 2; i++) await record(api, ...Array.from({ length: 25 }, large));
  const answer = await get(api, "/accounts/large/events?limit=1000");
  const page = JSON.parse(answer.body) as Page;
  assert.is(page.events.length, 32);
  assert.ok(answer.body.length < 1_100_000, `${answer.body.length}`);
  const rest = await json<Page>(api, `/accounts/large/events?cursor=${page.next_cursor}`);
  assert.is(rest.events.length, 18);
});

test("an account that no event could have is refused by both", async ({ api }) => {
  for (const route of ["timeseries", "events"]) {
    const answer = await get(api, `/accounts/a%0Ab/${route}`);
    assert.is(problemIn(answer, 400, "parameters-invalid").errors[0]?.path, "account_id");
  }
});

test.run();
