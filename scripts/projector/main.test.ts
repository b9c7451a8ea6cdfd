import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { Effect } from "effect";
import pg from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeEventLog } from "../../adapters/postgres/event_log.ts";
import { makeProjection } from "../../adapters/postgres/projection.ts";
import { anEvent } from "../../core/event/event.fixture.ts";
import { Projection } from "../../core/projection/projection.ts";
import { catchUp } from "../../core/projection/projector.ts";
import { READ_MODEL_VERSIONS } from "../../core/projection/read_models.ts";
import { createTestDatabase } from "../test/database.ts";
import {
  createMigratedDatabase,
  type MigratedDatabase,
  TEST_SHARDS,
} from "../test/migrated_database.ts";
import { until } from "../test/patience.ts";

interface Context {
  readonly migrated: MigratedDatabase;
  /** A session for locks. */
  readonly client: pg.Client;
}

const test = suite<Context>("npm run projector");

const EVENTS_PER_SHARD = 50;

test.before.each(async (context) => {
  const migrated = await createMigratedDatabase();
  const client = new pg.Client({ connectionString: migrated.url });
  await client.connect();
  const { database } = migrated;
  for (let shard = 0; shard < TEST_SHARDS; shard++) {
    const events = Array.from({ length: EVENTS_PER_SHARD }, (_, i) =>
      anEvent({ accountId: `account-${shard}`, eventId: `${i}` }),
    );
    await Effect.runPromise(makeEventLog(database, TEST_SHARDS).append(shard, events));
  }
  await Effect.runPromise(Effect.provideService(catchUp, Projection, makeProjection(database)));
  Object.assign(context, { migrated, client });
});
test.after.each(async ({ migrated, client }) => {
  for (const child of running) child.kill("SIGKILL");
  await client.end();
  await migrated.close();
});

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
const running = new Set<ChildProcess>();

/** Starts the command. */
const start = (url: string, ...args: ReadonlyArray<string>) => {
  // With MIGRATE_ON_START=false the service waits for the migration.
  const env = {
    ...process.env,
    DATABASE_URL: url,
    SHARDS: String(TEST_SHARDS),
    MIGRATE_ON_START: "false",
  };
  const child = spawn(process.execPath, [MAIN, ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const printed = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (printed.err += text));
  const ended = once(child, "close").then(([code]) => {
    running.delete(child);
    return { code: code as number | null, ...printed };
  });
  return { child, printed, ended };
};
const run = (url: string, ...args: ReadonlyArray<string>) => start(url, ...args).ended;

interface Status {
  readonly generation: number;
  readonly state: string;
  readonly shards: ReadonlyArray<{ readonly position: number; readonly lag_events: number }>;
}
const statusOf = async (url: string): Promise<ReadonlyArray<Status>> => {
  const { out, err } = await run(url, "status", "--json");
  assert.is(err, "");
  return JSON.parse(out) as ReadonlyArray<Status>;
};
const states = async (url: string) =>
  (await statusOf(url)).map(({ generation, state }) => `${generation} ${state}`);

/** Starts a rebuild that blocks at its second shard. */
const startAndHold = async ({ migrated, client }: Context) => {
  await client.query("select tidemark.begin_generation($1)", [READ_MODEL_VERSIONS]);
  await client.query("begin; select from read_models_2.checkpoints where shard = 1 for update");
  const started = start(migrated.url, "--shards-at-once", "1");
  const isBlocked = async () => {
    const { rows } = await migrated.execute(
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      [],
    );
    return rows.length > 0;
  };
  await until(isBlocked, "the rebuild never blocked at the second shard");
  return { ...started, release: () => client.query("rollback") };
};

test("it rebuilds the read models, and keeps the old ones until they are dropped", async ({
  migrated,
}) => {
  const { url } = migrated;
  const { code, err, out } = await run(url);
  assert.equal([code, out], [0, ""], err);
  assert.match(err, /Building generation 2 beside the live one\n/);
  assert.match(
    err,
    /Every row of activity_by_type is unchanged\.\nGeneration 2 is live after (?:\d\.\d|\d{2,}) s/,
  );
  assert.equal(await states(url), ["1 retired", "2 live"]);
  assert.equal(
    (await statusOf(url))[1]?.shards.map((shard) => [shard.position, shard.lag_events]),
    [
      [EVENTS_PER_SHARD, 0],
      [EVENTS_PER_SHARD, 0],
    ],
  );
  assert.match((await run(url, "status")).out, /Generation 2: live since .*\n +SHARD +POSITION/);
  const dropped = await run(url, "drop");
  assert.equal([dropped.code, dropped.out], [0, "Generation 1 is dropped.\n"]);
  assert.equal(await states(url), ["2 live"]);
  assert.match((await run(url, "drop")).out, /Nothing to drop/);
});

test("a killed rebuild loses nothing, and the next run continues it", async (context) => {
  const { url } = context.migrated;
  const { child, ended, release } = await startAndHold(context);
  child.kill("SIGKILL");
  await ended;
  await release();
  const building = (await statusOf(url)).find(({ state }) => state === "building");
  assert.equal(
    building?.shards.map(({ position }) => position),
    [EVENTS_PER_SHARD, 0],
  );
  const { code, err } = await run(url);
  assert.is(code, 0, err);
  assert.match(err, /Continuing to build generation 2/);
  assert.equal(await states(url), ["1 retired", "2 live"]);
  assert.is((await run(url, "verify")).code, 0);
});

test("Ctrl-C ends it immediately, even during a statement, and the incomplete generation can be dropped", async (context) => {
  const { url } = context.migrated;
  const { child, ended, release } = await startAndHold(context);
  child.kill("SIGINT");
  const { code, err } = await ended;
  assert.is(code, 130, err);
  assert.match(err, /SIGINT: stopping\. Finished work is kept/);
  await release();
  assert.equal(await states(url), ["1 live", "2 building"]);
  assert.is((await run(url, "drop", "2")).out, "Generation 2 is dropped.\n");
  assert.equal(await states(url), ["1 live"]);
});

test("a second rebuild at the same time is refused", async (context) => {
  const { url } = context.migrated;
  const { ended, release } = await startAndHold(context);
  const second = await run(url);
  assert.is(second.code, 1);
  assert.match(second.err, /Another process is rebuilding or dropping a generation: process \d+/);
  const drop = await run(url, "drop", "2");
  assert.is(drop.code, 1);
  assert.match(drop.out, "Another process");
  await release();
  assert.is((await ended).code, 0);
});

test("the live generation and unknown generations are not dropped", async ({ migrated }) => {
  const { code, out } = await run(migrated.url, "drop", "1", "7");
  assert.is(code, 1);
  assert.match(out, /Generation 1 is live and was kept[^]*Generation 7 does not exist/);
  assert.equal(await states(migrated.url), ["1 live"]);
});

test("wrong live rows are listed by verify, stop a rebuild, and are replaced with --accept-differences", async ({
  migrated,
}) => {
  const { url, execute } = migrated;
  assert.equal([(await run(url, "verify")).code, (await run(url, "verify")).out], [0, ""]);
  await execute("update read_models.activity_by_type set events = 51 where shard = 1", []);
  const verified = await run(url, "verify");
  assert.is(verified.code, 1);
  assert.match(
    verified.out,
    /^activity_by_type shard 1 \{"account_id" : "account-1",.*\}: 51, but 50 in the log\n$/,
  );
  assert.match(verified.err, "1 row differs from the log");
  const refused = await run(url);
  assert.is(refused.code, 1);
  assert.match(
    refused.err,
    /activity_by_type, shard 1: the live read model counts 1 event more than the log/,
  );
  assert.match(refused.err, "--accept-differences");
  assert.equal(await states(url), ["1 live", "2 building"]);
  assert.is((await run(url, "--accept-differences")).code, 0);
  assert.is((await run(url, "verify")).code, 0);
});

test("follow updates the read models until a signal, and ends as the service does", async ({
  migrated,
}) => {
  const { url, database } = migrated;
  const { child, printed, ended } = start(url, "follow");
  const events = [anEvent({ accountId: "account-0", eventId: "new" })];
  await Effect.runPromise(makeEventLog(database, TEST_SHARDS).append(0, events));
  await until(
    async () => (await statusOf(url))[0]?.shards[0]?.position === 51,
    "follow did not update the read models",
  );
  assert.match(printed.out, /roles: projector|"roles":"projector"/);
  child.kill("SIGTERM");
  const { code, err } = await ended;
  assert.is(code, 0, err);
});

test("an unmigrated database is reported with the remedy", async ({ migrated }) => {
  await migrated.execute("drop table tidemark.generations", []);
  const { code, err } = await run(migrated.url);
  assert.is(code, 1);
  assert.match(err, "npm run migrate");
});

test("before the migration every command ends and names the remedy, even follow, which would wait", async () => {
  const empty = await createTestDatabase();
  for (const args of [[], ["status"], ["follow"]]) {
    const { code, err } = await start(empty.url, ...args).ended;
    assert.equal(
      [code, err],
      [
        1,
        "The database does not have the tables of this version yet: run npm run migrate, or npm start, which does so first\n",
      ],
      args.join(),
    );
  }
  await empty.drop();
});

test("invalid arguments are refused with the usage", async ({ migrated }) => {
  for (const args of [
    ["rebild"],
    ["status", "now"],
    ["verify", "--json"],
    ["drop", "last"],
    ["drop", "--accept-differences"],
    ["--shards-at-once", "0"],
    ["--nonsense"],
  ]) {
    const { code, out, err } = await run(migrated.url, ...args);
    assert.equal([code, out], [2, ""], args.join(" "));
    assert.match(err, "Usage: npm run projector", args.join(" "));
  }
  const { code, out } = await run(migrated.url, "--help");
  assert.is(code, 0);
  assert.match(out, "Usage: npm run projector");
});

test.run();
