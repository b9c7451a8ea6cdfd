import { once } from "node:events";
import { get, type ServerResponse } from "node:http";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { until } from "../../../scripts/test/patience.ts";
import { requestBytes } from "../api.fixture.ts";
import { ABANDONED_REST_MS } from "../limits.ts";
import { abandon } from "./client_error.ts";
import { type Connection, openConnection } from "./connection.fixture.ts";
import { type Server, startServer } from "./server.ts";

interface Context {
  server: Server;
  connection: Connection;
  /** Responses that the server still has to send, in the order of the requests. */
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

/** Much longer than a close has to take: one that takes so long waited for the wrong thing. */
const CUT_OFF_MS = 10_000;

/** Closes, and asserts that no client had to be disconnected. */
const closeInTime = async (server: Server): Promise<void> => {
  const started = performance.now();
  await server.close(CUT_OFF_MS);
  assert.ok(performance.now() - started < CUT_OFF_MS, "it had to disconnect a client");
};

const isRefused = async (url: string): Promise<boolean> => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  // `once` rejects if the socket cannot connect.
  const refused = await once(socket, "connect").then(
    () => false,
    () => true,
  );
  socket.destroy();
  return refused;
};

test("close() answers requests in flight, closes their connections and accepts no more", async (context) => {
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

test("a request that arrives while draining, before the response ahead of it starts, is the last one answered", async (context) => {
  const { server, connection, owed } = context;
  const other = await openConnection(server.url);
  connection.write(GET);
  await until(() => owed.length === 1);
  server.drain();
  connection.write(GET);
  other.write(GET);
  // So later requests were read.
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

test("close() answers all pipelined requests", async (context) => {
  const { server, connection, owed } = context;
  connection.write(Buffer.concat([GET, GET, GET]));
  await until(() => owed.length === 1);
  // The server has processed those first.
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

test("close() does not wait for idle connections, new or used", async (context) => {
  const { server, connection, owed } = context;
  connection.write(GET);
  await until(() => owed.length === 1);
  owed[0]?.end("done");
  await connection.answer();
  const unused = await openConnection(server.url);
  await closeInTime(server);
  await Promise.all([connection.closed(), unused.closed()]);
});

test("a draining server closes each connection after its next response, also of requests in flight, and still accepts connections", async (context) => {
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

test("close() keeps idle connections open for the grace period, and answers requests on them", async (context) => {
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
  assert.ok(performance.now() - since < CUT_OFF_MS / 2, "it did not wait");
});

test("close() closes idle connections after the grace period, at most half of its time", async (context) => {
  const { server, connection } = context;
  await until(() => server.connections() === 1);
  const since = performance.now();
  await server.close(400, CUT_OFF_MS);
  const tookMs = performance.now() - since;
  assert.ok(tookMs >= 190, `${tookMs} ms`);
  await connection.closed();
});

test("a response that started before the drain is completed, and its connection closed after the grace period", async (context) => {
  const { server, connection, owed } = context;
  connection.write(GET);
  await until(() => owed.length === 1);
  owed[0]?.writeHead(200, { "Content-Length": "5" });
  owed[0]?.write("be");
  const closing = server.close(CUT_OFF_MS, 200);
  await new Promise((resolve) => setTimeout(resolve, 300));
  owed[0]?.end("gun");
  assert.is((await connection.answer())?.headers["connection"], "keep-alive");
  // Its headers promised to keep the connection open.
  connection.write(GET);
  await until(() => owed.length === 2);
  owed[1]?.end("done");
  assert.is((await connection.answer())?.headers["connection"], "close");
  await closing;
});

test("close() disconnects clients that have not sent a whole request in time", async (context) => {
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

test("close() does not wait for a refused client that keeps its side open", async ({ server }) => {
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

test("a client that waits for a response may be silent for longer than one that sends or reads", async () => {
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

test("a port in use makes the start fail", async () => {
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

test("the URL can be opened, whatever address the server is bound to", async () => {
  for (const [host, expected] of [
    ["127.0.0.1", /^http:\/\/127\.0\.0\.1:\d+$/],
    ["0.0.0.0", /^http:\/\/localhost:\d+$/],
  ] as const) {
    const server = await startServer({ host, port: 0, listener: () => {} });
    await server.close(0);
    assert.match(server.url, expected);
  }
});

test("an address whose connection was abandoned can open none for a second, and other addresses can", async () => {
  const refused: unknown[] = [];
  const server = await startServer({
    host: "127.0.0.1",
    port: 0,
    isFairByAddress: true,
    listener: ({ socket, url }, response) => {
      if (url === "/abuse") abandon(socket);
      else response.end();
    },
    onRefused: (reason) => refused.push(reason),
  });
  /** The status of an answer on a new connection from an address; undefined when there was none. */
  const statusFor = (localAddress: string, target = "/"): Promise<number | undefined> =>
    new Promise((resolve) => {
      const request = get(new URL(target, server.url), { agent: false, localAddress });
      request.on("response", (response) => {
        resolve(response.statusCode);
        response.resume();
      });
      request.on("error", () => {
        resolve(undefined);
      });
    });
  try {
    assert.is(await statusFor("127.0.0.2"), 200);
    const since = performance.now();
    assert.is(await statusFor("127.0.0.2", "/abuse"), undefined);
    assert.is(await statusFor("127.0.0.3"), 200);
    assert.equal(refused, []);
    while ((await statusFor("127.0.0.2")) === undefined) await sleep(50);
    assert.ok(performance.now() - since >= ABANDONED_REST_MS, "it was let in too early");
    assert.ok(refused.every((reason) => reason === "address"));
  } finally {
    await server.close(0);
  }
});

test.run();
