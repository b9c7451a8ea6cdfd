import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect, createServer } from "node:net";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { requestBytes } from "./api.fixture.ts";
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

const until = async (isTrue: () => boolean): Promise<void> => {
  const deadline = performance.now() + 5_000;
  while (!isTrue()) {
    assert.ok(performance.now() < deadline, "waited for 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
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

test("a request that comes on an open connection while closing is answered as its last", async (context) => {
  const { server, connection, owed } = context;
  connection.write(GET);
  await until(() => owed.length === 1);
  const closing = closeInTime(server);
  connection.write(GET);
  owed[0]?.end("done");
  await connection.answer();
  await until(() => owed.length === 2);
  owed[1]?.end("done");
  assert.is((await connection.answer())?.headers["connection"], "close");
  await closing;
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
