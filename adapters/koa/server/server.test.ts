import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect, createServer } from "node:net";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { until } from "../../../scripts/test/patience.ts";
import { requestBytes } from "../api.fixture.ts";
import { type Connection, openConnection } from "./connection.fixture.ts";
import { type Server, startServer } from "./server.ts";

interface Context {
  server: Server;
  connection: Connection;
  /** The answers that the server owes, in the order of the requests. */
  owed: ServerResponse[];
}

const test = suite<Context>("startServer");

test.before.each(async (context) => {
  const owed: ServerResponse[] = [];
  context.owed = owed;
  context.server = await startServer({
    host: "127.0.0.1",
    port: 0,
    listener: (_, response) => owed.push(response),
  });
  context.connection = await openConnection(context.server.url);
});
test.after.each(async ({ server, connection }) => {
  connection.reset();
  await server.close(0);
});

const GET = requestBytes("GET /");

/** Long after what a close has to wait for: one that takes so long has waited for the wrong thing. */
const CUT_OFF_MS = 10_000;

/** Closes, and insists that nobody had to be cut off. */
const closeInTime = async (server: Server): Promise<void> => {
  const started = performance.now();
  await server.close(CUT_OFF_MS);
  assert.ok(performance.now() - started < CUT_OFF_MS, "it had to cut somebody off");
};

const isRefused = async (url: string): Promise<boolean> => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  // `once` rejects with the error of a socket that could not connect.
  const refused = await once(socket, "connect").then(
    () => false,
    () => true,
  );
  socket.destroy();
  return refused;
};

test("a close answers what is under way, tells the client to go, and accepts no more", async (context) => {
  const { server, connection, owed } = context;
  connection.write(GET);
  await until(() => owed.length === 1);
  const closing = closeInTime(server);
  assert.ok(await isRefused(server.url));
  owed[0]?.end("done");
  assert.is((await connection.answer())?.status, 200);
  await closing;
  await connection.closed();
});

test("a request that was read while draining, before the answer ahead of it began, is answered as the last", async (context) => {
  const { server, connection, owed } = context;
  const other = await openConnection(server.url);
  connection.write(GET);
  await until(() => owed.length === 1);
  server.drain();
  connection.write(GET);
  other.write(GET);
  // What was sent later was read.
  await until(() => owed.length === 2);
  owed.pop();
  other.reset();
  owed[0]?.end("done");
  assert.is((await connection.answer())?.headers["connection"], "keep-alive");
  await until(() => owed.length === 2);
  owed[1]?.end("done");
  assert.is((await connection.answer())?.headers["connection"], "close");
  await closeInTime(server);
});

test("a close answers all requests that were sent one behind the other", async (context) => {
  const { server, connection, owed } = context;
  connection.write(Buffer.concat([GET, GET, GET]));
  await until(() => owed.length === 1);
  // Behind those in the server's own order.
  const other = await openConnection(server.url);
  other.write(GET);
  await until(() => owed.length === 2);
  other.reset();
  owed.pop();
  const closing = closeInTime(server);
  for (let i = 1; i <= 3; i++) {
    await until(() => owed.length === i);
    owed[i - 1]?.end("done");
    const { headers } = (await connection.answer()) ?? {};
    assert.is(headers?.["connection"] === "close", i === 3, `answer ${i}`);
  }
  await closing;
});

test("a close does not wait for connections that are idle, new or used", async (context) => {
  const { server, connection, owed } = context;
  connection.write(GET);
  await until(() => owed.length === 1);
  owed[0]?.end("done");
  await connection.answer();
  const unused = await openConnection(server.url);
  await closeInTime(server);
  await Promise.all([connection.closed(), unused.closed()]);
});

test("a draining server answers as the last on each connection, also what it was asked before, and still accepts", async (context) => {
  const { server, connection, owed } = context;
  connection.write(GET);
  await until(() => owed.length === 1);
  server.drain();
  owed[0]?.writeHead(200, ["X-Own", "1"]).end("done");
  const { headers } = (await connection.answer()) ?? {};
  assert.equal([headers?.["x-own"], headers?.["connection"]], ["1", "close"]);
  await connection.closed();
  const other = await openConnection(server.url);
  other.write(GET);
  await until(() => owed.length === 2);
  owed[1]?.end("done");
  assert.is((await other.answer())?.headers["connection"], "close");
  await other.closed();
});

test("a close leaves idle connections open for its grace, and answers what still comes on them", async (context) => {
  const { server, connection, owed } = context;
  const used = connection;
  used.write(GET);
  await until(() => owed.length === 1);
  owed[0]?.end("done");
  await used.answer();
  const unused = await openConnection(server.url);
  await until(() => server.connections() === 2);
  const closing = server.close(CUT_OFF_MS, CUT_OFF_MS / 2);
  assert.ok(await isRefused(server.url));
  for (const [i, each] of [used, unused].entries()) {
    each.write(GET);
    await until(() => owed.length === i + 2);
    owed[i + 1]?.end("late");
    assert.is((await each.answer())?.body, "late");
    await each.closed();
  }
  const since = performance.now();
  await closing;
  assert.ok(performance.now() - since < CUT_OFF_MS / 2, "it waited for nobody");
});

test("a close ends idle connections after its grace, and half of its time at most", async (context) => {
  const { server, connection } = context;
  await until(() => server.connections() === 1);
  const since = performance.now();
  await server.close(400, CUT_OFF_MS);
  const tookMs = performance.now() - since;
  assert.ok(tookMs >= 190, `${tookMs} ms`);
  await connection.closed();
});

test("an answer that had begun before the drain is ended, and its connection closed after the grace", async (context) => {
  const { server, connection, owed } = context;
  connection.write(GET);
  await until(() => owed.length === 1);
  owed[0]?.writeHead(200, { "Content-Length": "5" });
  owed[0]?.write("be");
  const closing = server.close(CUT_OFF_MS, 200);
  await new Promise((resolve) => setTimeout(resolve, 300));
  owed[0]?.end("gun");
  assert.is((await connection.answer())?.headers["connection"], "keep-alive");
  // Its client was told that it may go on.
  connection.write(GET);
  await until(() => owed.length === 2);
  owed[1]?.end("done");
  assert.is((await connection.answer())?.headers["connection"], "close");
  await closing;
});

test("a close cuts off who has not sent a whole request within its bound", async (context) => {
  const { server, connection, owed } = context;
  connection.write(`${GET.toString()}GET / HTTP/1.1\r\nHost: `);
  await until(() => owed.length === 1);
  owed[0]?.end("done");
  await connection.answer();
  const started = performance.now();
  await server.close(200);
  const tookMs = performance.now() - started;
  assert.ok(tookMs >= 190 && tookMs < 5_000, `${tookMs} ms`);
  await connection.closed();
});

test("a client that was refused and does not close its side is not waited for", async ({
  server,
}) => {
  const socket = connect({
    port: Number(new URL(server.url).port),
    host: "127.0.0.1",
    allowHalfOpen: true,
  });
  socket.write("garbage\r\n\r\n");
  socket.resume();
  await once(socket, "end");
  await closeInTime(server);
  socket.destroy();
});

test("who waits for an answer may be silent for longer than who sends or reads one", async () => {
  const server = await startServer({
    host: "127.0.0.1",
    port: 0,
    silenceTimeoutMs: 50,
    listener: (_, response) => setTimeout(() => response.end("late"), 300),
  });
  const response = await fetch(server.url);
  assert.is(await response.text(), "late");
  await server.close(0);
});

test("another listener answers from the next request on", async ({ server, connection }) => {
  server.use((_, response) => response.writeHead(204).end());
  connection.write(GET);
  assert.is((await connection.answer())?.status, 204);
});

test("a port that is taken is an error of the start", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  const failed = await startServer({ host: "127.0.0.1", port, listener: () => {} }).then(
    () => undefined,
    (error: Error & { code?: string }) => error,
  );
  taken.close();
  assert.is(failed?.code, "EADDRINUSE");
});

test("its address is one that a person can open, whatever it is bound to", async () => {
  for (const [host, expected] of [
    ["127.0.0.1", /^http:\/\/127\.0\.0\.1:\d+$/],
    ["0.0.0.0", /^http:\/\/localhost:\d+$/],
  ] as const) {
    const server = await startServer({ host, port: 0, listener: () => {} });
    await server.close(0);
    assert.match(server.url, expected);
  }
});

test.run();
