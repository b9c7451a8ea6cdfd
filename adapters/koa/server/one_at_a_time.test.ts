import type { IncomingMessage, ServerResponse } from "node:http";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { until } from "../../../scripts/test/patience.ts";
import { postBytes, requestBytes } from "../api.fixture.ts";
import { PIPELINED_MAX } from "../limits.ts";
import { makeBodies } from "../request/bodies.ts";
import { type Connection, openConnection } from "./connection.fixture.ts";
import { type RequestListener, type Server, startServer } from "./server.ts";

interface Owed {
  readonly path: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

interface Context {
  server: Server;
  /** Called for each request in its turn; by default leaves it in `owed`. */
  answer: RequestListener;
  connection: Connection;
  /** Requests that started, in order. */
  owed: Owed[];
  refused: Array<number | string>;
}

const test = suite<Context>("pipelined requests");

test.before.each(async (context) => {
  const owed: Owed[] = [];
  const refused: Context["refused"] = [];
  Object.assign(context, { owed, refused });
  context.answer = (request, response) => owed.push({ path: request.url ?? "", request, response });
  context.server = await startServer({
    host: "127.0.0.1",
    port: 0,
    listener: (request, response) => context.answer(request, response),
    onRefused: (reason) => refused.push(reason),
  });
  context.connection = await openConnection(context.server.url);
});
test.after.each(async ({ server, connection }) => {
  connection.reset();
  await server.close(0);
});

const gets = (count: number, prefix = "/"): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => requestBytes(`GET ${prefix}${i}`)));

/** Asserts that another connection is served, which takes several rounds of the event loop. */
const beside = async ({ server, owed }: Context): Promise<void> => {
  const other = await openConnection(server.url);
  other.write(requestBytes("GET /beside"));
  await until(() => owed.some(({ path }) => path === "/beside"));
  owed.splice(
    owed.findIndex(({ path }) => path === "/beside"),
    1,
  );
  other.reset();
};

test("each starts when the response before it is sent, and all are answered in order", async (context) => {
  const { connection, owed } = context;
  connection.write(gets(5));
  for (let i = 0; i < 5; i++) {
    await until(() => owed.length > i);
    await beside(context);
    assert.is(owed.length, i + 1, "the next started before this one was answered");
    assert.is(owed[i]?.path, `/${i}`);
    owed[i]?.response.end(`answer ${i}`);
    assert.is((await connection.answer())?.body, `answer ${i}`);
  }
});

test("other connections get their turn between two requests of one connection", async (context) => {
  const { server, connection } = context;
  const order: string[] = [];
  context.answer = ({ url = "" }, response) => {
    order.push(url);
    response.end();
  };
  const other = await openConnection(server.url);
  connection.write(gets(PIPELINED_MAX, "/many/"));
  other.write(requestBytes("GET /one"));
  await other.answer();
  other.reset();
  await until(() => order.length === PIPELINED_MAX + 1);
  assert.ok(order.indexOf("/one") < PIPELINED_MAX / 2, order.join());
});

test("the body of a request that waits is received whole", async (context) => {
  const { connection, owed } = context;
  const bytes = postBytes("x".repeat(300_000));
  connection.write(Buffer.concat([gets(1), bytes.subarray(0, 100_000)]));
  await until(() => owed.length === 1);
  connection.write(Buffer.concat([bytes.subarray(100_000), gets(1, "/after")]));
  await beside(context);
  owed[0]?.response.end();
  await until(() => owed.length === 2);
  let length = 0;
  for await (const piece of owed[1]?.request ?? []) length += (piece as Buffer).length;
  assert.is(length, 300_000);
  owed[1]?.response.end();
  await until(() => owed.length === 3);
  owed[2]?.response.end();
  for (let i = 0; i < 3; i++) assert.is((await connection.answer())?.status, 200);
});

test("a connection on which too many requests wait is closed, and none of them starts", async (context) => {
  const { connection, owed, refused } = context;
  connection.write(gets(1 + PIPELINED_MAX));
  await until(() => owed.length === 1);
  await beside(context);
  assert.equal(refused, []);
  connection.write(gets(2_000));
  await connection.closed();
  await beside(context);
  assert.is(owed.length, 1);
  assert.equal(refused, ["pipelined"]);
});

test("requests that wait on a closed connection never start, and their bodies are freed", async (context) => {
  const { connection, owed } = context;
  const bodies = makeBodies({ bytesMax: 1_000_000, proxies: 0 });
  const server = await startServer({
    host: "127.0.0.1",
    port: 0,
    listener: (request, response) => context.answer(request, response),
    onArrival: bodies.receive,
  });
  const pipelining = await openConnection(server.url);
  pipelining.write(Buffer.concat([gets(1), postBytes("x".repeat(1_000)), postBytes("y")]));
  await until(() => bodies.held() === 1_001);
  pipelining.reset();
  await until(() => bodies.held() === 0);
  await beside(context);
  assert.is(owed.length, 1);
  connection.reset();
  await server.close(0);
});

test("a client that does not pipeline never waits, however many requests it sends", async (context) => {
  const { connection } = context;
  context.answer = (_, response) => response.end();
  for (let i = 0; i < 3 * PIPELINED_MAX; i++) {
    connection.write(gets(1));
    assert.is((await connection.answer())?.status, 200);
  }
});

test.run();
