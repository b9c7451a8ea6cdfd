import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase, type TestDatabase } from "../scripts/test/database.ts";
import { until } from "../scripts/test/patience.ts";
import {
  accept,
  completedJob,
  getJson,
  type Job,
  type SentEvent,
  statusOf,
} from "./api_client.fixture.ts";
import { killServices, type ServiceProcess, startService } from "./service_process.fixture.ts";

interface Context {
  database: TestDatabase;
  service: ServiceProcess;
  url: string;
}

const test = suite<Context>("the whole way");

test.before(async (context) => {
  context.database = await createTestDatabase();
  context.service = startService({ DATABASE_URL: context.database.url });
  context.url = await context.service.url();
});
test.after(async ({ database, service }) => {
  const code = await service.stop();
  await killServices();
  await database.drop();
  assert.is(code, 0);
});

const EVENTS = 5_000;
const BATCH = 100;
const CLIENTS = 8;
/** A tenth of the events is sent twice, by the same client or by another one. */
const DUPLICATE_EVERY = 10;
const ACCOUNTS = 20;
const TYPES = ["message_sent", "call_made", "form_submitted", "login", "custom"];
const MINUTE_MS = 60_000;
const DAYS = 10;

/** Spread over ten days, with accounts of different sizes. */
const makeEvents = (now: number): ReadonlyArray<SentEvent> =>
  Array.from({ length: EVENTS }, (_, i) => ({
    event_id: `event ${i}`,
    account_id: `account ${i % 3 === 0 ? i % 5 : i % ACCOUNTS}`,
    user_id: `user ${(i * 7) % 31}`,
    type: TYPES[(i * i) % TYPES.length] ?? "",
    timestamp: new Date(now - ((i * 2_909) % (DAYS * 1_440)) * MINUTE_MS - i).toISOString(),
  }));

/** All events and a tenth of duplicates, in batches. */
const batchesOf = (events: ReadonlyArray<SentEvent>): ReadonlyArray<ReadonlyArray<SentEvent>> => {
  const sent = events.flatMap((event, i) =>
    i % DUPLICATE_EVERY === 0 ? [event, events[(i * 37) % events.length] ?? event] : [event],
  );
  return Array.from({ length: Math.ceil(sent.length / BATCH) }, (_, i) =>
    sent.slice(i * BATCH, (i + 1) * BATCH),
  );
};

interface Summary {
  readonly totals: Record<string, number>;
  readonly top_users: ReadonlyArray<{ readonly user_id: string; readonly events: number }>;
  readonly from: string;
  readonly to: string;
}

/** The expected summary, by counting the events one by one. */
const bruteForce = (events: ReadonlyArray<SentEvent>, { from, to }: Summary) => {
  const [start, end] = [Date.parse(from), Date.parse(to)];
  const inside = events.filter(({ timestamp }) => {
    const at = Date.parse(timestamp);
    return start <= at && at < end;
  });
  const countBy = (key: "type" | "user_id"): Record<string, number> => {
    const groups = Object.entries(Object.groupBy(inside, (event) => event[key]));
    return Object.fromEntries(groups.map(([name, group]) => [name, group?.length ?? 0]));
  };
  const users = Object.entries(countBy("user_id"))
    .map(([user_id, count]) => ({ user_id, events: count }))
    .toSorted((a, b) => b.events - a.events || (a.user_id < b.user_id ? -1 : 1));
  return { totals: countBy("type"), top_users: users };
};

const size = (totals: Readonly<Record<string, number>>): number =>
  Object.values(totals).reduce((sum, count) => sum + count, 0);

test("each of thousands of events from concurrent clients, with duplicates, counts once", async ({
  url,
}) => {
  const now = Date.now();
  const events = makeEvents(now);
  const waiting = [...batchesOf(events)];
  const sent = waiting.flat().length;
  assert.is(sent, EVENTS + EVENTS / DUPLICATE_EVERY);
  const jobIds: string[] = [];
  const client = async (): Promise<void> => {
    for (let batch = waiting.pop(); batch !== undefined; batch = waiting.pop()) {
      jobIds.push(await accept(url, ...batch));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));

  const jobs: Job[] = [];
  for (const jobId of jobIds) jobs.push(await completedJob(url, jobId));
  const sum = (count: "queued" | "appended" | "duplicates" | "conflicts"): number =>
    jobs.reduce((all, job) => all + job[count], 0);
  assert.is(sum("queued"), sent);
  assert.is(sum("appended"), EVENTS);
  assert.is(sum("duplicates"), sent - EVENTS);
  assert.is(sum("conflicts"), 0);

  const at = (days: number): string => new Date(now - days * 1_440 * MINUTE_MS).toISOString();
  const accounts = Object.entries(Object.groupBy(events, (event) => event.account_id));
  assert.is(accounts.length, ACCOUNTS);
  for (const [account, theirs = []] of accounts) {
    for (const query of [
      `from=${at(DAYS + 1)}&to=${at(-1)}`,
      `from=${at(6.54321)}&to=${at(1.23456)}`,
      "window=last_24h",
      "window=last_7d",
    ]) {
      const path = `/accounts/${encodeURIComponent(account)}/summary?${query}&top=100`;
      let summary: Summary | undefined;
      // The worker is done, but the projector may not be.
      await until(async () => {
        summary = await getJson<Summary>(url + path);
        return size(summary.totals) === size(bruteForce(theirs, summary).totals);
      }, `${path} does not come to its total`);
      assert.ok(summary);
      const { totals, top_users } = summary;
      assert.equal({ totals, top_users }, bruteForce(theirs, summary), path);
    }
  }
});

test("unusual account ids and ranges are answered", async ({ url }) => {
  for (const id of ["'", '"', "\\", "{a,b}", "%", "_", "$1", "😀", "ü", "null", "x".repeat(255)]) {
    assert.is(await statusOf(url, `/accounts/${encodeURIComponent(id)}/summary`), 200, id);
  }
  for (const [query, status] of [
    ["from=9999-12-31T00:00:00Z&to=9999-12-31T23:59:59.999Z", 200],
    ["from=9999-12-31T00:00:00Z&to=9999-12-31T23:59:59-23:59", 400],
    ["from=0100-01-01T00:00:00%2B23:59&to=0100-06-01T00:00:00Z", 200],
    ["from=2024-02-29T23:59:59.999Z&to=2024-03-01T00:00:00.001Z&top=100", 200],
  ] as const) {
    assert.is(await statusOf(url, `/accounts/acme/summary?${query}`), status, query);
  }
});

test.run();
