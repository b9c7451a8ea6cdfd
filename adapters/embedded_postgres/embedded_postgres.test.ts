import { rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { Client } from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { until } from "../../scripts/test/patience.ts";
import {
  failure,
  makeScratch,
  query,
  removeScratch,
  spawnOwner,
} from "./embedded_postgres.fixture.ts";
import {
  connectEmbeddedPostgres,
  DataDirInUse,
  EmbeddedPostgresFailed,
  startEmbeddedPostgres,
} from "./embedded_postgres.ts";
import { readOwnerPid } from "./owner_lock.ts";

const test = suite<{ dataDir: string }>("embedded_postgres");

// All tests share one folder, because creating a database takes long. Each test leaves it stopped.
test.before(async (context) => {
  context.dataDir = await makeScratch();
});
test.after(async ({ dataDir }) => {
  await removeScratch(dataDir);
});

test("the first start creates a durable, private, byte-ordered Postgres 18", async ({
  dataDir,
}) => {
  const postgres = await startEmbeddedPostgres({ dataDir, settings: { work_mem: "5MB" } });
  try {
    const { url } = postgres;
    assert.match(url, /^postgres:\/\/tidemark:[0-9a-f]{48}@127\.0\.0\.1:\d+\/tidemark$/);
    assert.match(String((await query(url, "show server_version"))[0]), /^18\./);
    for (const name of ["fsync", "full_page_writes", "synchronous_commit", "data_checksums"]) {
      assert.equal(await query(url, `show ${name}`), ["on"], name);
    }
    assert.equal(await query(url, "show work_mem"), ["5MB"]);
    assert.equal(await query(url, "show server_encoding"), ["UTF8"]);
    assert.equal(await query(url, "show wal_segment_size"), ["1MB"]);
    assert.equal(await query(url, "values ('é'), ('a'), ('Z'), ('-') order by 1"), [
      "-",
      "Z",
      "a",
      "é",
    ]);
    const wrong = failure(query(url.replace(/:[0-9a-f]{48}@/, ":wrong@"), "select 1"));
    assert.match((await wrong).message, /password authentication failed/);
    const { mode } = await stat(join(dataDir, "postgres/pgpass"));
    assert.is(mode & 0o777, 0o600);
  } finally {
    await postgres.stop();
  }
});

test("data and password survive a stop, which is clean and can be repeated", async ({
  dataDir,
}) => {
  const first = await startEmbeddedPostgres({ dataDir });
  await query(first.url, "create table kept as select 42 as answer");
  await Promise.all([first.stop(), first.stop()]);
  assert.equal(await first.exited, { code: 0, signal: null, expected: true });

  const second = await startEmbeddedPostgres({ dataDir });
  assert.equal(await query(second.url, "select answer from kept"), [42]);
  assert.is(new URL(second.url).password, new URL(first.url).password);
  await second.stop();
});

test("a stop ends open sessions rather than wait for them", async ({ dataDir }) => {
  const postgres = await startEmbeddedPostgres({ dataDir });
  const client = new Client({ connectionString: postgres.url });
  client.on("error", () => undefined);
  await client.connect();
  const hanging = failure(client.query("select pg_sleep(60)"));
  await postgres.stop();
  assert.match((await hanging).message, /terminat/);
});

test("a second owner is refused while the first one lives, in this process or another", async ({
  dataDir,
}) => {
  const other = spawnOwner(dataDir);
  const { url = "" } = await other.report;
  const refused = await failure(startEmbeddedPostgres({ dataDir }));
  assert.instance(refused, DataDirInUse);
  assert.is((refused as DataDirInUse).ownerPid, other.pid);
  for (const hint of [dataDir, String(other.pid), "DATA_DIR", "DATABASE_URL"]) {
    assert.ok(refused.message.includes(hint), hint);
  }
  assert.equal(await query(url, "select 1"), [1], "the first is not affected");
  await other.stop();

  const mine = await startEmbeddedPostgres({ dataDir });
  const again = await failure(startEmbeddedPostgres({ dataDir }));
  assert.is((again as DataDirInUse).ownerPid, process.pid);
  await mine.stop();
});

test("of three processes that start at the same time on an empty folder, exactly one wins", async () => {
  const dataDir = await makeScratch();
  try {
    const owners = [spawnOwner(dataDir), spawnOwner(dataDir), spawnOwner(dataDir)];
    const reports = await Promise.all(owners.map(({ report }) => report));
    const winners = reports.filter(({ url }) => url !== undefined);
    assert.is(winners.length, 1);
    assert.is(reports.filter(({ error }) => error === "DataDirInUse").length, 2);
    assert.equal(await query(winners[0]?.url ?? "", "select 1"), [1]);
    await Promise.all(owners.map((owner) => owner.stop()));
  } finally {
    await removeScratch(dataDir);
  }
});

test("a tool attaches to the running server", async ({ dataDir }) => {
  const other = spawnOwner(dataDir);
  const { url, pid } = await other.report;
  const tool = await connectEmbeddedPostgres({ dataDir });
  assert.equal([tool.url, tool.pid, tool.owned], [url, pid, false]);
  await tool.stop();
  assert.equal(await query(tool.url, "select 1"), [1], "its stop leaves the owner's server alone");
  await other.stop();
});

test("a tool without a running server starts and owns one; a second tool waits and shares it", async ({
  dataDir,
}) => {
  const [one, two] = await Promise.all([
    connectEmbeddedPostgres({ dataDir }),
    connectEmbeddedPostgres({ dataDir }),
  ]);
  assert.is.not(one.owned, two.owned);
  assert.is(one.url, two.url);
  await Promise.all([one.stop(), two.stop()]);
});

test("a start that fails quotes the server's log and frees the folder", async ({ dataDir }) => {
  const settings = { shared_buffers: "lots" };
  const failed = await failure(startEmbeddedPostgres({ dataDir, settings }));
  assert.instance(failed, EmbeddedPostgresFailed);
  assert.match(failed.message, /invalid value for parameter "shared_buffers"/);
  const postgres = await startEmbeddedPostgres({ dataDir });
  await postgres.stop();
});

test("a tool that needs a database creates none, and waits for one that is being created", async () => {
  const scratch = await makeScratch();
  const dataDir = join(scratch, "new");
  const missing = await failure(connectEmbeddedPostgres({ dataDir, mustExist: true }));
  assert.instance(missing, EmbeddedPostgresFailed);
  assert.match(missing.message, `There is no database in ${dataDir}.`);
  const starting = startEmbeddedPostgres({ dataDir });
  await until(() => readOwnerPid(dataDir) !== undefined);
  const tool = await connectEmbeddedPostgres({ dataDir, mustExist: true });
  assert.not.ok(tool.owned);
  await (await starting).stop();
  // What a killed owner left behind does not count as a database.
  await rm(join(dataDir, "postgres"), { recursive: true });
  await writeFile(join(dataDir, "owner.pid"), "1\n");
  const left = await failure(connectEmbeddedPostgres({ dataDir, mustExist: true }));
  assert.match(left.message, `There is no database in ${dataDir}.`);
  await removeScratch(scratch, dataDir);
});

test.run();
