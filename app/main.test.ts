import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  makeScratch,
  removeScratch,
} from "../adapters/embedded_postgres/embedded_postgres.fixture.ts";
import { until } from "../scripts/test/patience.ts";
import { accept, anEvent, totalsOf, untilLogins } from "./api_client.fixture.ts";
import { killServices, startService } from "./service_process.fixture.ts";

interface Context {
  folder: string;
  dataDir: string;
}

// The services of this file share one embedded database, because creating it takes most of the
// time. Each test leaves it to the next.
const test = suite<Context>("npm start");

test.before(async (context) => {
  context.folder = await makeScratch();
  context.dataDir = join(context.folder, "data");
});
test.after.each(killServices);
test.after(async ({ folder, dataDir }) => {
  await removeScratch(folder, dataDir);
});

/** As on a terminal. */
const PRETTY = { LOG_FORMAT: "pretty" };

test("--help prints the usage, and any other argument is refused", async () => {
  const help = startService({}, ["--help"]);
  assert.is(await help.ended, 0);
  assert.match(help.output(), /^Usage: npm start/);
  const unknown = startService({}, ["--port=1"]);
  assert.is(await unknown.ended, 2);
  assert.is(
    unknown.output(),
    "npm start takes no arguments, but got --port=1. Settings are environment variables, such as PORT=3001 npm start. " +
      "See --help.\n",
  );
});

test("an invalid configuration is reported variable by variable, before anything starts", async ({
  dataDir,
}) => {
  const service = startService({ ...PRETTY, DATA_DIR: dataDir, PORT: "http", SHARDS: "0" });
  assert.is(await service.ended, 1);
  const [, ...lines] = service.output().trimEnd().split("\n");
  assert.match(lines[0] ?? "", /^ {2}PORT must be a whole number from 0 to 65535$/);
  assert.match(lines[1] ?? "", /^ {2}SHARDS must be a whole number from 1 to 256$/);
  assert.is(lines.length, 2);
  assert.not.ok(existsSync(dataDir));
});

test("a port in use is reported in one line, before a database is created", async ({ dataDir }) => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  const service = startService({ ...PRETTY, DATA_DIR: dataDir, PORT: String(port) });
  assert.is(await service.ended, 1);
  taken.close();
  assert.match(
    service.output(),
    new RegExp(`^Another process listens on 127.0.0.1 port ${port}\\. .*set PORT .*\\n$`),
  );
  assert.not.ok(existsSync(dataDir));
});

test("on a terminal it prints sentences, and no JSON", async ({ dataDir }) => {
  const service = startService({ ...PRETTY, DATA_DIR: dataDir });
  const url = await service.url();
  await accept(url, anEvent());
  await untilLogins(url, 1);
  assert.is(await service.stop(), 0);
  assert.match(service.output(), /^Tidemark listens on /m);
  assert.not.match(service.output(), /^\{/m);
});

test("what was counted is still there after a restart", async ({ dataDir }) => {
  const service = startService({ DATA_DIR: dataDir });
  assert.equal(await totalsOf(await service.url()), { login: 1 });
  assert.is(await service.stop(), 0);
});

/** The output, each line of which must be a log entry. */
const entriesIn = (output: string): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  output
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const emptyFieldsIn = (value: unknown): boolean =>
  typeof value === "object" && value !== null
    ? Object.keys(value).length === 0 || Object.values(value).some(emptyFieldsIn)
    : value === "" || value === null;

test("from start to stop it logs one entry a line, warns of nothing, and says that it stopped", async ({
  dataDir,
}) => {
  const service = startService({ DATA_DIR: dataDir, LOG_LEVEL: "debug" });
  const url = await service.url();
  await accept(url, anEvent());
  await untilLogins(url, 2);
  service.kill("SIGTERM");
  assert.is(await service.ended, 0);
  const entries = entriesIn(service.output());
  for (const entry of entries) {
    assert.match(String(entry["level"]), /^(DEBUG|INFO)$/, JSON.stringify(entry));
    assert.not.ok(emptyFieldsIn(entry), JSON.stringify(entry));
  }
  const messages = entries.map(({ message }) => String(message));
  assert.is(messages.filter((message) => message.includes("SIGTERM")).length, 1);
  assert.is(messages.at(-1), "Tidemark stopped");
});

test("a failure to start, or later, is a log entry as well", async ({ dataDir }) => {
  const json = { LOG_FORMAT: "json", DATA_DIR: dataDir };
  const invalid = startService({ ...json, PORT: "http" });
  assert.is(await invalid.ended, 1);
  assert.equal(entriesIn(invalid.output()).at(-1)?.["annotations"], {
    problems: ["PORT must be a whole number from 0 to 65535"],
  });
  // Once a listener is registered.
  const program = `process.on("newListener", (name) => {
    if (name !== "uncaughtException") return;
    process.emitWarning("careful");
    setTimeout(() => { throw new Error("boom"); });
  });`;
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(program)}`;
  const failing = startService({ ...json, NODE_OPTIONS });
  assert.is(await failing.ended, 1);
  const entries = entriesIn(failing.output());
  assert.ok(entries.some(({ message }) => message === "careful"));
  assert.match(String(entries.at(-1)?.["cause"]), "boom");
});

test("a mistyped setting is a warning that suggests the right name", async ({ dataDir }) => {
  const service = startService({ DATA_DIR: dataDir, PORT: "http", AUHT: "required" });
  assert.is(await service.ended, 1);
  const [warning] = entriesIn(service.output());
  assert.is(warning?.["level"], "WARN");
  assert.match(String(warning?.["message"]), /^AUHT is not a setting .* did you mean AUTH\?$/);
});

test("Ctrl-C while the first database is created stops the service cleanly, and the next start works", async ({
  folder,
}) => {
  const dataDir = join(folder, "interrupted");
  const service = startService({ ...PRETTY, DATA_DIR: dataDir }, [], { leadsGroup: true });
  await until(async () => existsSync(dataDir) && (await isMakingDatabase(dataDir)), "no initdb");
  service.pressCtrlC();
  assert.is(await service.ended, 0);
  const [making = "", stopping = "", stopped = "", ...more] = service
    .output()
    .trimEnd()
    .split("\n");
  assert.match(making, `Creating a new database in ${dataDir}/postgres`);
  assert.match(stopping, "SIGINT: stopping.");
  assert.match(stopped, "Tidemark stopped");
  assert.equal(more, []);

  const next = startService({ DATA_DIR: dataDir });
  assert.equal(await totalsOf(await next.url()), {});
  assert.is(await next.stop(), 0);
});

/** Whether initdb runs statements, which is when a signal disturbs it most. */
const isMakingDatabase = async (dataDir: string): Promise<boolean> =>
  (await readdir(dataDir)).some(
    (name) =>
      name.startsWith("postgres.draft-") &&
      existsSync(join(dataDir, name, "base/1/pg_filenode.map")),
  );

const postgresPid = async (dataDir: string): Promise<number> =>
  Number.parseInt(await readFile(join(dataDir, "postgres/postmaster.pid"), "utf8"), 10);

test("accepted events survive a kill -9 of the service and its database at the same time", async ({
  dataDir,
}) => {
  // Without a worker: a job that was fetched is redelivered only after some seconds.
  const killed = startService({ DATA_DIR: dataDir, ROLES: "api" });
  const url = await killed.url();
  const pid = await postgresPid(dataDir);
  await accept(url, anEvent(), anEvent());
  process.kill(pid, "SIGKILL");
  killed.kill("SIGKILL");
  assert.is(await killed.ended, "SIGKILL");

  const next = startService({ DATA_DIR: dataDir });
  await untilLogins(await next.url(), 4);
  assert.is(await next.stop(), 0);
});

test("a second service on the same folder names its owner and does not disturb the first", async ({
  dataDir,
}) => {
  const first = startService({ DATA_DIR: dataDir });
  const url = await first.url();
  const second = startService({ DATA_DIR: dataDir });
  assert.is(await second.ended, 1);
  assert.match(second.output(), `in use by another process (pid ${first.pid})`);
  assert.match(second.output(), /set DATA_DIR/);
  await accept(url, anEvent());
  await untilLogins(url, 5);
  assert.is(await first.stop(), 0);
});

test("a service whose embedded database dies says so and ends, and the next one continues", async ({
  dataDir,
}) => {
  const service = startService({ DATA_DIR: dataDir });
  await service.url();
  process.kill(await postgresPid(dataDir), "SIGKILL");
  assert.is(await service.ended, 1);
  const [, log = ""] = /ended by itself; (.*) says why/.exec(service.output()) ?? [];
  assert.match(await readFile(log, "utf8"), "database system is ready");

  const next = startService({ DATA_DIR: dataDir });
  assert.equal(await totalsOf(await next.url()), { login: 5 });
  assert.is(await next.stop(), 0);
});

test.run();
