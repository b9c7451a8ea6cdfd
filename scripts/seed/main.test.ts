import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

import { Client } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase, type TestDatabase } from "../test/database.ts";

const test = suite<{ created: TestDatabase; client: Client }>("npm run seed");

test.before.each(async (context) => {
  // Empty: the command creates the schema.
  context.created = await createTestDatabase();
  context.client = new Client({ connectionString: context.created.url });
  await context.client.connect();
});
test.after.each(async ({ created, client }) => {
  await client.end();
  await created.drop();
});

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

const start = (url: string, args: ReadonlyArray<string>): ChildProcess =>
  spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, DATABASE_URL: url, SHARDS: "4", PORT: "0" },
    stdio: ["ignore", "pipe", "pipe"],
  });

const ended = async (child: ChildProcess) => {
  const [out, err] = [child.stdout, child.stderr].map((stream) => stream && text(stream));
  const [code] = (await once(child, "exit")) as [number | null];
  return { code, out: (await out) ?? "", err: (await err) ?? "" };
};

const run = (url: string, ...args: ReadonlyArray<string>) => ended(start(url, args));

/** Counts the log, and compares the read models with it. */
const counts = async (client: Client) => {
  const { rows } = await client.query(`
    select
      (select count(*)::int from tidemark.events) as events,
      (select count(distinct shard)::int from tidemark.log_heads) as shards,
      (select count(*)::int from (
        (select account_id, type, count(*) from tidemark.events group by 1, 2)
        except (select account_id, type, sum(events) from read_models.activity_by_type group by 1, 2)
      ) differing) as uncounted,
      (select sum(h.position - c.position)::int
        from tidemark.log_heads h join read_models.checkpoints c using (shard)) as lag`);
  return rows[0] as Record<string, number>;
};

test("it fills a new database, and counts every event", async ({ created, client }) => {
  const { code, out, err } = await run(created.url, "20000", "--whale", "5000");
  assert.is(code, 0, err);
  assert.match(
    out,
    /^25,000 appended, 0 duplicates of 25,000 events in (?:\d\.\d|\d{2,}) s: .* events\/s$/m,
  );
  assert.match(out, "/accounts/whale/summary?window=last_7d");
  assert.equal(await counts(client), { events: 25_000, shards: 4, uncounted: 0, lag: 0 });
  const { rows } = await client.query(`
    select count(*)::int as events from tidemark.events
    where occurred_at between now() - interval '7 days 1 minute' and now()`);
  assert.is(rows[0].events, 25_000);
});

test("a repeated run adds nothing, and another seed adds more", async ({ created, client }) => {
  await run(created.url, "3000");
  const { code, out } = await run(created.url, "3000");
  assert.is(code, 0);
  assert.match(out, /^0 appended, 3,000 duplicates of 3,000 events in/m);
  assert.match(out, "--seed 2");
  assert.is((await counts(client))["events"], 3_000);
  assert.match((await run(created.url, "3000", "--seed", "2")).out, "3,000 appended, 0 duplicates");
  assert.equal(await counts(client), { events: 6_000, shards: 4, uncounted: 0, lag: 0 });
});

test("a run that SIGINT interrupts is counted, and continues later", async ({
  created,
  client,
}) => {
  const child = start(created.url, ["200000"]);
  const ending = ended(child);
  for (let events = 0; events === 0;) {
    events = (await client.query(EVENTS_SO_FAR).catch(() => ({ rows: [{ n: 0 }] }))).rows[0].n;
  }
  child.kill("SIGINT");
  const { code, out } = await ending;
  assert.is(code, 130);
  const { events = 0, ...rest } = await counts(client);
  assert.ok(events > 0 && events < 200_000, `${events}`);
  assert.equal(rest, { shards: 4, uncounted: 0, lag: 0 });
  assert.match(out, new RegExp(`^${events.toLocaleString("en-US")} appended, 0 duplicates`, "m"));
  const again = await run(created.url, "200000");
  assert.match(again.out, `${events.toLocaleString("en-US")} duplicates of 200,000`);
  assert.equal(await counts(client), { events: 200_000, shards: 4, uncounted: 0, lag: 0 });
});

const EVENTS_SO_FAR = "select sum(position)::int as n from tidemark.log_heads";

test("a database with another schema version is not changed", async ({ created, client }) => {
  await run(created.url, "10");
  await client.query(
    "delete from tidemark.schema_migrations where version = (select max(version) from tidemark.schema_migrations)",
  );
  const { code, err } = await run(created.url, "10");
  assert.is(code, 1);
  assert.match(err, "1 migration is pending: run npm run migrate");
});

test("invalid arguments are refused with the usage", async ({ created }) => {
  for (const [args, sentence] of [
    [["--accounts", "none"], /^--accounts must be a whole number /],
    [["0"], /^The number of events must be a whole number from 1 /],
    [["1", "2"], /^Unexpected argument 2\./],
  ] as const) {
    const { code, out, err } = await run(created.url, ...args);
    assert.equal([code, out], [2, ""]);
    assert.match(err, sentence);
    assert.match(err, "Usage: npm run seed -- [EVENTS] [OPTIONS]");
  }
  assert.is((await run(created.url, "--help")).code, 0);
});

test.run();
