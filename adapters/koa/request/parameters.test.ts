import { suite } from "uvu";
import * as assert from "uvu/assert";

import { type Api, get, problemIn, startApi } from "../api.fixture.ts";

const test = suite<{ api: Api }>("query parameters");

test.before(async (context) => {
  context.api = await startApi();
});
test.after(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

const refuses = (path: string, queries: ReadonlyArray<string>, field: string, message: RegExp) => {
  for (const query of queries) {
    test(`${path}?${query} is refused, naming ${field}`, async ({ api }) => {
      const { errors } = problemIn(await get(api, `${path}?${query}`), 400, "parameters-invalid");
      const error = errors.find((issue) => issue.path === field);
      assert.ok(error, JSON.stringify(errors));
      assert.is(error.index, null);
      assert.match(error.message, message);
    });
  }
};

const SAMPLE = "/accounts/sample";
const NO_POSITIVE_INTEGERS = [
  "0",
  "-1",
  "1.5",
  "1e2",
  "0x10",
  "ten",
  "",
  "%00",
  "+1",
  "%ZZ",
  "%D9%A3",
];
refuses(
  SAMPLE,
  NO_POSITIVE_INTEGERS.map((limit) => `limit=${limit}`),
  "limit",
  /positive integer/,
);
refuses(SAMPLE, ["limit=1&limit=1", "limit=1&li%6Dit=2"], "limit", /must be given once/);
refuses(SAMPLE, ["offset=1", "offset", "offset=1&limit=1"], "offset", /is not a parameter here/);
refuses(SAMPLE, ["__proto__=1", "__proto__[a]=1&__proto__=2"], "__proto__", /./);
refuses(SAMPLE, ["limit[]=1"], "limit[]", /is not a parameter here/);

const SUMMARY = "/accounts/acme/summary";
refuses(SUMMARY, ["window=last_1h", "window=", "window=LAST_24H"], "window", /one of last_24h, /);
refuses(SUMMARY, ["window=last_7d&window=last_7d"], "window", /must be given once/);
refuses(
  SUMMARY,
  NO_POSITIVE_INTEGERS.map((top) => `top=${top}`),
  "top",
  /positive integer/,
);
refuses(SUMMARY, ["top=101", "top=99999999999999999999"], "top", /at most 100/);

const DAY = "from=2026-01-31T00:00:00Z&to=2026-02-01T00:00:00Z";
refuses(SUMMARY, [`window=last_7d&${DAY}`], "window", /not be given together with from and to/);
refuses(SUMMARY, ["from=2026-01-31T00:00:00Z"], "to", /missing/);
refuses(SUMMARY, ["to=2026-01-31T00:00:00Z"], "from", /missing/);
refuses(SUMMARY, [DAY.replace("02-01", "01-31"), DAY.replace("02-01", "01-30")], "to", /after/);
refuses(SUMMARY, [DAY.replace("2026-02", "2028-02")], "to", /at most 400 days/);
const NO_TIMESTAMPS = [
  "2026-01-31",
  "2026-01-31T00:00:00",
  "2026-02-30T00:00:00Z",
  "1769817600000",
  "now",
  "",
  "%00",
  "9999-12-31T23:59:59-00:01",
];
refuses(
  SUMMARY,
  NO_TIMESTAMPS.map((to) => `from=9999-12-30T00:00:00Z&to=${to}`),
  "to",
  /must be an ISO 8601 timestamp with an offset/,
);

const TIMESERIES = "/accounts/acme/timeseries";
refuses(
  TIMESERIES,
  ["interval=minute", "interval=", "interval=HOUR"],
  "interval",
  /one of hour, day/,
);
refuses(TIMESERIES, ["interval=day&interval=day"], "interval", /must be given once/);
refuses(TIMESERIES, ["from=2026-01-31T00:00:00Z"], "to", /missing/);
refuses(TIMESERIES, ["to=2026-01-31T00:00:00Z"], "from", /missing/);
refuses(TIMESERIES, [DAY.replace("02-01", "01-31"), DAY.replace("02-01", "01-30")], "to", /after/);
refuses(
  TIMESERIES,
  [
    "from=2026-01-01T00:00:00Z&to=2026-02-11T16:00:00.001Z",
    "from=2026-01-01T00:59:59.999Z&to=2026-02-11T16:00:00.001Z",
    "interval=day&from=2026-01-01T00:00:00Z&to=2028-09-27T00:00:00.001Z",
  ],
  "to",
  /at most 1000 points by (?:hour|day), not 1001/,
);
refuses(
  TIMESERIES,
  NO_TIMESTAMPS.map((to) => `from=9999-12-30T00:00:00Z&to=${to}`),
  "to",
  /must be an ISO 8601 timestamp with an offset/,
);
const NO_TYPES = ["", "Login", "1st", "a%00", "%00", "a%20b", "x".repeat(65)];
refuses(
  TIMESERIES,
  NO_TYPES.map((type) => `type=${type}`),
  "type",
  /must match/,
);
refuses(TIMESERIES, ["type=login&type=custom"], "type", /must be given once/);
refuses(TIMESERIES, ["window=last_24h"], "window", /is not a parameter here/);

const EVENTS = "/accounts/acme/events";
refuses(
  EVENTS,
  NO_POSITIVE_INTEGERS.map((limit) => `limit=${limit}`),
  "limit",
  /positive integer/,
);
refuses(EVENTS, ["limit=1001", "limit=99999999999999999999"], "limit", /at most 1000/);
refuses(EVENTS, [DAY.replace("02-01", "01-31"), DAY.replace("02-01", "01-30")], "to", /after/);
refuses(
  EVENTS,
  NO_TIMESTAMPS.map((from) => `from=${from}`),
  "from",
  /must be an ISO 8601 timestamp with an offset/,
);
refuses(
  EVENTS,
  NO_TYPES.map((type) => `type=${type}`),
  "type",
  /must match/,
);
refuses(EVENTS, ["offset=1"], "offset", /is not a parameter here/);
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
refuses(
  EVENTS,
  [
    "",
    "1",
    "%00",
    "not-base64!",
    "x".repeat(8_000),
    base64(null),
    base64([]),
    base64({}),
    base64([0, 0, 0, 0, null, null, null, 0]),
    base64([1e300, 0, 0, 0, null, null, null, 0]),
    base64(["0", 0, 0, 0, null, null, null, 0]),
  ].map((cursor) => `cursor=${cursor}`),
  "cursor",
  /must be the next_cursor of an earlier response for the same account, unchanged/,
);

test("all invalid parameters are reported together, up to 100", async ({ api }) => {
  const { errors } = problemIn(
    await get(api, `${SUMMARY}?window=x&top=0&a=1`),
    400,
    "parameters-invalid",
  );
  assert.equal(errors.map(({ path }) => path).toSorted(), ["a", "top", "window"]);
  const many = Array.from({ length: 2_000 }, (_, i) => `k${i}`).join("&");
  const refused = problemIn(await get(api, `${SUMMARY}?${many}`), 400, "parameters-invalid");
  assert.is(refused.errors.length, 100);
});

test("parsing thousands of parameters takes time linear in their number", async ({ api }) => {
  const query = "a&".repeat(7_000);
  await get(api, `${SUMMARY}?a`);
  const started = performance.now();
  problemIn(await get(api, `${SUMMARY}?${query}`), 400, "parameters-invalid");
  // A quadratic parser took 1,300 ms on an idle machine.
  assert.ok(performance.now() - started < 400, `${performance.now() - started} ms`);
});

test("an account ID that no event can have is refused", async ({ api }) => {
  for (const [id, message] of [
    ["%00", /control characters/],
    ["a%0Ab", /control characters/],
    ["%C2%85", /control characters/],
    ["x".repeat(256), /at most 255/],
    [".", /must not be \. or \.\./],
    ["%2e%2E", /must not be \. or \.\./],
  ] as const) {
    const answer = await get(api, `/accounts/${id}/summary`);
    const { errors } = problemIn(answer, 400, "parameters-invalid");
    assert.is(errors[0]?.path, "account_id");
    assert.match(errors[0]?.message ?? "", message);
  }
});

test("every account ID that an event can have works in a URL made by a library", async ({
  api,
}) => {
  for (const id of ["...", ".a", "..a", "a..", "./..", "%2e", "%2e%2e", " ", "é😀", "sample"]) {
    const response = await fetch(`${api.url}/accounts/${encodeURIComponent(id)}/summary`);
    assert.is(response.status, 200, id);
    assert.is(((await response.json()) as { readonly account_id: string }).account_id, id);
  }
});

test.run();
