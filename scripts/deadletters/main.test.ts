import { suite } from "uvu";
import * as assert from "uvu/assert";

import { startBoss } from "../../adapters/pg_boss/boss.ts";
import { newRowId } from "../../adapters/pg_boss/job_id.ts";
import { rowWith } from "../../adapters/pg_boss/payload.ts";
import { EVENTS_QUEUE } from "../../adapters/pg_boss/queue_settings.ts";
import { anEvent } from "../../core/event/event.fixture.ts";
import { createMigratedDatabase, type MigratedDatabase } from "../test/migrated_database.ts";
import { runModule } from "../test/run_program.ts";

const test = suite<{ migrated: MigratedDatabase }>("npm run deadletters");

test.before(async (context) => {
  context.migrated = await createMigratedDatabase();
});
test.after(({ migrated }) => migrated.close());

const run = (url: string, ...args: ReadonlyArray<string>) =>
  runModule(new URL("main.ts", import.meta.url), args, { DATABASE_URL: url });

const OCCURRED_AT = Date.UTC(2026, 10, 22, 8, 16, 7);

const sentEvent = (id: string) => ({
  event_id: id,
  account_id: "acme",
  user_id: "user-of-the-dead",
  type: "login",
  timestamp: "2026-11-22T08:16:07.000Z",
  metadata: { plan: "pro", tags: [null, "é"] },
});

/** Lets jobs die, and returns their ids. */
const bury = async ({ execute }: MigratedDatabase, count: number): Promise<string[]> => {
  const boss = await startBoss({ execute, supervise: false, onError: () => {} });
  await boss.updateQueue(EVENTS_QUEUE, { retryLimit: 0 });
  const ids = [];
  for (let i = 0; i < count; i++) {
    const id = newRowId(Date.now());
    ids.push(id);
    const event = anEvent({
      eventId: id,
      accountId: "acme",
      userId: "user-of-the-dead",
      type: "login",
      occurredAt: OCCURRED_AT,
      metadata: JSON.stringify(sentEvent(id).metadata),
    });
    const events = [event];
    await boss.insert(EVENTS_QUEUE, [await rowWith(id, [{ events, duplicates: 0, conflicts: 0 }])]);
    const rows = await boss.fetch(EVENTS_QUEUE, { batchSize: 1 });
    await boss.fail(EVENTS_QUEUE, rows, { message: "no good\n\u001b[31mat all" });
  }
  await boss.stop({ graceful: false });
  return ids;
};

test("an empty list is a success", async ({ migrated }) => {
  assert.equal(await run(migrated.url), { code: 0, out: "No dead letters.\n", err: "" });
});

test("dead letters are listed, shown, redriven and dropped", async ({ migrated }) => {
  const [first = "", second = "", third = ""] = await bury(migrated, 3);
  const { out, code } = await run(migrated.url, "list", "--limit", "2");
  assert.is(code, 0);
  const [, one, two, summary] = out.split("\n");
  assert.match(one ?? "", new RegExp(`^${first} .* 1 {2}no good \\[31mat all$`));
  assert.match(two ?? "", second);
  assert.match(summary ?? "", "The oldest 2 dead letters.");

  const listed = JSON.parse((await run(migrated.url, "list", "--json")).out);
  assert.equal(
    listed.map(({ id, events }: { id: string; events: number }) => [id, events]),
    [first, second, third].map((id) => [id, 1]),
  );
  const shown = JSON.parse((await run(migrated.url, "show", second)).out);
  // An operator can post it again.
  assert.equal(
    shown.jobs.map(({ events }: { events: unknown }) => events),
    [[sentEvent(second)]],
  );

  assert.equal(await run(migrated.url, "redrive", first), {
    code: 0,
    out: "1 redriven.\n",
    err: "",
  });
  const again = await run(migrated.url, "redrive", first, second);
  assert.equal([again.code, again.out], [1, "1 redriven.\n"]);
  assert.match(again.err, `Dead letter ${first} does not exist.`);
  // The first two are in the queue again.
  const unasked = await run(migrated.url, "drop", "--all");
  assert.equal([unasked.code, unasked.out], [2, ""]);
  assert.match(unasked.err, /^drop --all needs --yes when there is no terminal to confirm on\.\n/);
  assert.is((await run(migrated.url, "drop", "--all", "--yes")).out, "1 dropped.\n");
  assert.is((await run(migrated.url)).out, "No dead letters.\n");
});

test("invalid arguments are refused with the usage", async ({ migrated }) => {
  for (const args of [
    ["bury"],
    ["show"],
    ["redrive"],
    ["drop", "--all", newRowId(1)],
    ["show", "x"],
    ["list", "x"],
    ["list", "--limit", "0"],
    ["list", "--limit", "many"],
    ["list", "--limit"],
    ["--no"],
  ]) {
    const { code, out, err } = await run(migrated.url, ...args);
    assert.equal([code, out], [2, ""], args.join(" "));
    assert.match(
      err,
      /^[^\n]+\.\n\nUsage: npm run deadletters -- [^\n]+\nAdd --help for details\.\n$/,
    );
  }
  const help = await run(migrated.url, "--help");
  assert.is(help.code, 0);
  assert.match(help.out, /^Usage: npm run deadletters/);
});

test("an unreachable database is one line and exit code 1", async () => {
  const { code, err } = await run("postgres://nobody@127.0.0.1:1/none");
  assert.is(code, 1);
  assert.match(err, /^The database cannot be reached: [^\n]+\n$/);
});

test.run();
