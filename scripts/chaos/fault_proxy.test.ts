import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import pg from "pg";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase, type TestDatabase } from "../test/database.ts";
import { until } from "../test/patience.ts";
import { type FaultProxy, startFaultProxy } from "./fault_proxy.ts";

interface EchoContext {
  server: Server;
  proxy: FaultProxy;
  client: Socket;
  /** What came back so far. */
  received: () => string;
}

const echo = suite<EchoContext>("fault proxy for bytes");

echo.before.each(async (context) => {
  context.server = createServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(context.server, "listening");
  const { port } = context.server.address() as AddressInfo;
  context.proxy = await startFaultProxy({ targetPort: port, protocol: "opaque" });
  context.client = await open(context.proxy);
  let received = "";
  context.client.on("data", (chunk: Buffer) => (received += chunk.toString()));
  context.received = () => received;
});
echo.after.each(async ({ client, proxy, server }) => {
  client.destroy();
  await proxy.close();
  server.close();
  await once(server, "close");
});

const open = async ({ port }: FaultProxy): Promise<Socket> => {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
};

/** Long enough for bytes that are on their way to arrive. */
const QUIET_MS = 100;

echo("bytes are forwarded in both directions", async ({ client, received }) => {
  client.write("hello");
  await until(() => received() === "hello");
});

echo("latency delays both directions and keeps the order", async ({ client, proxy, received }) => {
  proxy.become({ latencyMs: 60 });
  const start = performance.now();
  client.write("a");
  await delay(10);
  proxy.become("up");
  client.write("b");
  await until(() => received() === "ab");
  assert.ok(performance.now() - start >= 60);
});

echo(
  "a stalled link delivers everything when it is up again",
  async ({ client, proxy, received }) => {
    proxy.become("stalled");
    client.write("one ");
    client.write("two");
    await delay(QUIET_MS);
    assert.is(received(), "");
    proxy.become("up");
    await until(() => received() === "one two");
  },
);

echo("a link that was gone drops bytes, and its connections stay half-open", async (context) => {
  const { client, proxy, received } = context;
  client.write("before");
  await until(() => received() === "before");
  proxy.become("gone");
  client.write("lost");
  const late = await open(proxy);
  late.write("lost, too");
  proxy.become("up");
  client.write("never");
  await delay(QUIET_MS);
  assert.is(received(), "before");
  assert.is(client.readyState, "open");
  assert.is(late.readyState, "open");
  late.destroy();
  const fresh = await open(proxy);
  let answer = "";
  fresh.on("data", (chunk: Buffer) => (answer += chunk.toString()));
  fresh.write("after");
  await until(() => answer === "after");
  fresh.destroy();
});

echo("a reset ends every connection with ECONNRESET", async ({ client, proxy }) => {
  client.write("x");
  await once(client, "data");
  const broken = once(client, "error");
  proxy.reset();
  const [error] = (await broken) as [NodeJS.ErrnoException];
  assert.is(error.code, "ECONNRESET");
});

echo("an unavailable server closes the connections of its clients", async ({ proxy, server }) => {
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, "close");
  proxy.retarget(port);
  const client = await open(proxy);
  client.resume();
  await once(client, "close");
  proxy.retarget((server.address() as AddressInfo).port);
});

echo.run();

interface PostgresContext {
  database: TestDatabase;
  direct: pg.Client;
  proxy: FaultProxy;
  client: pg.Client;
}

const postgres = suite<PostgresContext>("fault proxy for Postgres");

postgres.before(async (context) => {
  context.database = await createTestDatabase();
  context.direct = new pg.Client({ connectionString: context.database.url });
  await context.direct.connect();
  await context.direct.query("create table noted (what text)");
});
postgres.before.each(async (context) => {
  const url = new URL(context.database.url);
  context.proxy = await startFaultProxy({ targetPort: Number(url.port), protocol: "postgres" });
  url.port = String(context.proxy.port);
  context.client = new pg.Client({ connectionString: url.href });
  context.client.on("error", () => {});
  await context.client.connect();
  await context.direct.query("truncate noted");
});
postgres.after.each(async ({ proxy, client }) => {
  await proxy.close();
  await client.end().catch(() => {});
});
postgres.after(async ({ database, direct }) => {
  await direct.end();
  await database.drop();
});

const insert = (client: pg.Client, what: string): Promise<unknown> =>
  client.query({ name: "note", text: "insert into noted values ($1)", values: [what] }).then(
    () => "done",
    (error: Error) => error,
  );

const noted = async (direct: pg.Client): Promise<ReadonlyArray<string>> =>
  (await direct.query<{ what: string }>("select what from noted order by what")).rows.map(
    ({ what }) => what,
  );

const INSERT = /insert into noted/;
const WITHIN_MS = 10_000;

postgres("an unsent statement reaches the server only if it is released", async (context) => {
  const { proxy, client, direct } = context;
  let catching = proxy.catchAt("unsent", INSERT, WITHIN_MS);
  const first = insert(client, "first");
  (await catching)?.release();
  assert.is(await first, "done");
  catching = proxy.catchAt("unsent", INSERT, WITHIN_MS);
  const second = insert(client, "second");
  (await catching)?.cut();
  assert.instance(await second, Error);
  assert.equal(await noted(direct), ["first"]);
});

postgres("an uncommitted statement has run, and is rolled back if it is cut", async (context) => {
  const { proxy, client, direct } = context;
  // The second time the statement is prepared already.
  assert.is(await insert(client, "before"), "done");
  let catching = proxy.catchAt("uncommitted", INSERT, WITHIN_MS);
  const first = insert(client, "first");
  const caught = await catching;
  const locks = await direct.query(
    "select from pg_locks where relation = 'noted'::regclass and mode = 'RowExclusiveLock'",
  );
  assert.is(locks.rowCount, 1);
  assert.equal(await noted(direct), ["before"]);
  caught?.release();
  assert.is(await first, "done");
  assert.equal(await noted(direct), ["before", "first"]);
  catching = proxy.catchAt("uncommitted", INSERT, WITHIN_MS);
  const second = insert(client, "second");
  (await catching)?.cut();
  assert.instance(await second, Error);
  assert.equal(await noted(direct), ["before", "first"]);
});

postgres("an unanswered statement is committed, and its client gets no answer", async (context) => {
  const { proxy, client, direct } = context;
  const catching = proxy.catchAt("unanswered", INSERT, WITHIN_MS);
  const first = insert(client, "first");
  const caught = await catching;
  assert.equal(await noted(direct), ["first"]);
  caught?.cut();
  assert.instance(await first, Error);
  assert.equal(await noted(direct), ["first"]);
});

postgres("a simple query is caught after its commit", async (context) => {
  const { proxy, client, direct } = context;
  const catching = proxy.catchAt("uncommitted", INSERT, WITHIN_MS);
  const inserted = client.query("insert into noted values ('simple')").catch(() => "cut");
  const caught = await catching;
  assert.equal(await noted(direct), ["simple"]);
  caught?.cut();
  assert.is(await inserted, "cut");
});

postgres("a trap that catches nothing is removed in time", async (context) => {
  const { proxy, client } = context;
  assert.is(await proxy.catchAt("unsent", /never said/, 10), undefined);
  assert.is(await proxy.catchAt("unsent", INSERT, 10), undefined);
  assert.is(await insert(client, "unharmed"), "done");
});

postgres.run();
