import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { until } from "../../scripts/test/patience.ts";
import { chooseServerUser } from "./as_root.ts";
import {
  failure,
  makeScratch,
  query,
  removeScratch,
  spawnOwner,
} from "./embedded_postgres.fixture.ts";
import { EmbeddedPostgresFailed, startEmbeddedPostgres } from "./embedded_postgres.ts";
import { isAlive } from "./postmaster.ts";

const test = suite<{ dataDir: string }>("embedded_postgres after a crash");

// All tests share one folder, because creating a database takes long. Each test leaves it stopped.
test.before(async (context) => {
  context.dataDir = await makeScratch();
});
test.after(async ({ dataDir }) => {
  await removeScratch(dataDir);
});

test("a server that is killed with kill -9 is reported, and starts again with its data", async ({
  dataDir,
}) => {
  const first = await startEmbeddedPostgres({ dataDir });
  await query(first.url, "create table survives_server as select 1 as answer");
  process.kill(first.pid, "SIGKILL");
  assert.equal(await first.exited, { code: null, signal: "SIGKILL", expected: false });
  await first.stop();

  const second = await startEmbeddedPostgres({ dataDir });
  assert.equal(await query(second.url, "select answer from survives_server"), [1]);
  await second.stop();
});

test("a server that outlived its killed owner is stopped, and a new one has the data", async ({
  dataDir,
}) => {
  const owner = spawnOwner(dataDir);
  const { url = "", pid = 0 } = await owner.report;
  await query(url, "create table survives_owner as select 1 as answer");
  await owner.kill();
  assert.ok(isAlive(pid), "the server has a session of its own");

  const notices: string[] = [];
  const onNotice = (sentence: string) => void notices.push(sentence);
  const next = await startEmbeddedPostgres({ dataDir, onNotice });
  assert.match(notices.join(), new RegExp(`pid ${pid}\\b.*outlived its owner`));
  assert.equal(await query(next.url, "select answer from survives_owner"), [1]);
  const recovered = await query(
    next.url,
    "select pg_read_file('postmaster.pid') like $$" + next.pid + "%$$",
  );
  assert.equal(recovered, [true]);
  await next.stop();
});

test("after owner and server are killed together, the next start replays the log", async ({
  dataDir,
}) => {
  const owner = spawnOwner(dataDir);
  const { url = "", pid = 0 } = await owner.report;
  await query(url, "create table survives_both as select 1 as answer");
  process.kill(pid, "SIGKILL");
  await owner.kill();

  const next = await startEmbeddedPostgres({ dataDir });
  assert.equal(await query(next.url, "select answer from survives_both"), [1]);
  await next.stop();
});

test("a stale postmaster.pid whose pid now belongs to another process is ignored", async ({
  dataDir,
}) => {
  const postgres = await startEmbeddedPostgres({ dataDir });
  const pidPath = join(dataDir, "postgres/postmaster.pid");
  const lines = (await readFile(pidPath, "utf8")).split("\n");
  await postgres.stop();
  // It runs as the server's own user, because Postgres ignores the processes of other users.
  const user = await chooseServerUser(dataDir);
  const stranger = spawn("sleep", ["60"], {
    cwd: "/",
    stdio: "ignore",
    ...(user && { uid: user.uid, gid: user.gid }),
  });
  await once(stranger, "spawn");
  try {
    await writeFile(pidPath, [stranger.pid, ...lines.slice(1)].join("\n"));
    const next = await startEmbeddedPostgres({ dataDir });
    assert.equal(await query(next.url, "select 1"), [1]);
    await next.stop();
    assert.is(stranger.exitCode ?? stranger.signalCode, null, "the stranger was not harmed");
  } finally {
    stranger.kill("SIGKILL");
  }
});

test("a postmaster.pid that a power cut left empty does not prevent a start", async ({
  dataDir,
}) => {
  await (await startEmbeddedPostgres({ dataDir })).stop();
  await writeFile(join(dataDir, "postgres/postmaster.pid"), "");
  const next = await startEmbeddedPostgres({ dataDir });
  await next.stop();
});

test("an owner killed during its first start leaves nothing in the way", async () => {
  const dataDir = await makeScratch();
  try {
    const owner = spawnOwner(dataDir);
    const draft = async () => (await readdir(dataDir)).find((name) => name.includes("draft-"));
    await until(async () => (await draft()) !== undefined);
    await owner.kill();
    const left = await readdir(dataDir);
    assert.not.ok(left.includes("postgres"), "no incomplete database has the real name");

    const next = await startEmbeddedPostgres({ dataDir });
    assert.equal(await query(next.url, "select 1"), [1]);
    await next.stop();
    assert.is(await draft(), undefined);
  } finally {
    await removeScratch(dataDir);
  }
});

test("a folder that is not a database is refused and left as it was", async () => {
  const dataDir = await makeScratch();
  try {
    await mkdir(join(dataDir, "postgres"));
    await writeFile(join(dataDir, "postgres/thesis.tex"), "years of work");
    const refused = await failure(startEmbeddedPostgres({ dataDir }));
    assert.instance(refused, EmbeddedPostgresFailed);
    assert.match(refused.message, /is not a Postgres database/);
    assert.equal(await readdir(join(dataDir, "postgres")), ["thesis.tex"]);

    await rm(join(dataDir, "postgres/thesis.tex"));
    await writeFile(join(dataDir, "postgres/PG_VERSION"), "17\n");
    const older = await failure(startEmbeddedPostgres({ dataDir }));
    assert.match(older.message, /created by Postgres 17, but this is Postgres 18/);
  } finally {
    await removeScratch(dataDir);
  }
});

test.run();
