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

const test = suite<{ api: Api }>("GET /accounts/:id/events");

test.before.each(async (context) => {
  context.api = await startApi();
});
test.after.each(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

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

test("events are listed as they were sent, newest first, with the time they were recorded", async ({
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

test("an unknown account has no events", async ({ api }) => {
  const { events, next_cursor } = await json<Page>(api, "/accounts/nobody/events");
  assert.equal([events, next_cursor], [[], null]);
});

test("events can be filtered by type and by either end of the range or both", async ({ api }) => {
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

test("all pages together are the list at the time of the first one, whatever is recorded meanwhile", async ({
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

test("a cursor contains its filter, which may be repeated but not changed", async ({ api }) => {
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
    assert.match(errors[0]?.message ?? "", `a different ${changed.slice(0, changed.indexOf("="))}`);
  }
  const foreign = await get(api, `/accounts/other/events?${cursor}`);
  assert.is(problemIn(foreign, 400, "parameters-invalid").errors[0]?.path, "cursor");
});

test("a page has 100 events by default, at most 1,000, and at most about 1 MiB", async ({
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

test("an account ID that no event can have is refused", async ({ api }) => {
  const answer = await get(api, "/accounts/a%0Ab/events");
  assert.is(problemIn(answer, 400, "parameters-invalid").errors[0]?.path, "account_id");
});

test.run();
