import { gzipSync } from "node:zlib";

import { Result } from "effect";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { until } from "../../../scripts/test/patience.ts";
import { postBytes } from "../api.fixture.ts";
import { type Connection, openConnection } from "../server/connection.fixture.ts";
import { type Server, startServer } from "../server/server.ts";
import { type Bodies, makeBodies } from "./bodies.ts";
import { readBody, type ReadBody } from "./body.ts";

const KIB = 1_024;

interface Context {
  bodies: Bodies;
  server: Server;
  /** Bodies in the order in which they were read; `answer` answers a request with 200. */
  read: Array<{ readonly body: ReadBody; readonly answer: () => void }>;
  /** Bounds for which memory was refused. */
  refused: string[];
}

const test = suite<Context>("memory of bodies");

/** A client whose requests are answered before their bodies are read. */
const UNREAD = "unread";

/**
 * A server that reads bodies, charges them to the client that the request names, and keeps them.
 */
test.before.each(async (context) => {
  const refused: string[] = [];
  const read: Context["read"] = [];
  const bodies = makeBodies({
    bytesMax: 400 * KIB,
    proxies: 0,
    onRefused: (bound) => refused.push(bound),
  });
  Object.assign(context, { refused, read, bodies });
  context.server = await startServer({
    host: "127.0.0.1",
    port: 0,
    onArrival: bodies.receive,
    listener: async (request, response) => {
      const client = String(request.headers["x-client"]);
      if (client === UNREAD) return response.end();
      const body = await readBody(bodies, request, client);
      return read.push({ body, answer: () => response.end() });
    },
  });
});
test.after.each(async ({ server }) => {
  await server.close(0);
});

const bodyOf = (length: number, client: string, encoding = "identity"): Buffer => {
  const text = "x".repeat(length);
  const body = encoding === "gzip" ? gzipSync(text) : text;
  return postBytes(body, { "X-Client": client, "Content-Encoding": encoding });
};

const send = async ({ server }: Context, bytes: Uint8Array): Promise<Connection> => {
  const connection = await openConnection(server.url);
  connection.write(bytes);
  return connection;
};

const failureOf = (body: ReadBody | undefined): string | undefined =>
  body === undefined || Result.isSuccess(body) ? undefined : body.failure._tag;

const succeeded = (body: ReadBody | undefined) => {
  assert.ok(body !== undefined && Result.isSuccess(body), failureOf(body));
  return body.success;
};

test("a body is charged from its first byte until it is released, and releasing it again does nothing", async (context) => {
  const { bodies, read } = context;
  const bytes = bodyOf(50 * KIB, "a");
  const connection = await send(context, bytes.subarray(0, 30 * KIB));
  await until(() => bodies.held() >= 29 * KIB);
  assert.ok(bodies.held() <= 60 * KIB, `${bodies.held()}`);
  connection.write(bytes.subarray(30 * KIB));
  await until(() => read.length === 1);
  const { bytes: all, release } = succeeded(read[0]?.body);
  assert.is(all.length, 50 * KIB);
  assert.is(bodies.held(), 50 * KIB);
  release();
  release();
  assert.is(bodies.held(), 0);
  read[0]?.answer();
  assert.is((await connection.answer())?.status, 200);
  connection.reset();
});

test("an inflated body is charged with its inflated size instead of the compressed one", async (context) => {
  const { bodies, read } = context;
  const connection = await send(context, bodyOf(50 * KIB, "a", "gzip"));
  await until(() => read.length === 1);
  const { bytes, release } = succeeded(read[0]?.body);
  assert.is(Buffer.from(bytes).toString(), "x".repeat(50 * KIB));
  assert.ok(bodies.held() >= 50 * KIB && bodies.held() <= 100 * KIB, `${bodies.held()}`);
  release();
  assert.is(bodies.held(), 0);
  connection.reset();
});

test("one client's bodies take no more than its share, whatever they inflate to, and another's are read", async (context) => {
  const { bodies, read, refused } = context;
  const connections: Connection[] = [];
  for (let i = 0; i < 8; i++) {
    connections.push(
      await send(context, bodyOf(50 * KIB, "greedy", i % 2 === 0 ? "gzip" : "identity")),
    );
    await until(() => read.length === i + 1);
  }
  const failures = read.map(({ body }) => failureOf(body));
  assert.ok(failures.includes("BodyShareExceeded"), failures.join());
  assert.ok(bodies.held() <= 200 * KIB, `${bodies.held()}`);
  assert.ok(
    refused.every((bound) => bound === "share"),
    refused.join(),
  );

  connections.push(await send(context, bodyOf(50 * KIB, "modest")));
  await until(() => read.length === 9);
  succeeded(read[8]?.body);
  for (const connection of connections) connection.reset();
});

test("a client that finds all memory taken by others gets 503, not 429", async (context) => {
  const { read, refused } = context;
  const connections: Connection[] = [];
  for (const [i, client] of ["a", "a", "a", "a", "b", "b", "c"].entries()) {
    connections.push(await send(context, bodyOf(48 * KIB, client)));
    await until(() => read.length === i + 1);
    succeeded(read[i]?.body);
  }
  connections.push(await send(context, bodyOf(60 * KIB, "newcomer")));
  await until(() => read.length === 8);
  assert.is(failureOf(read[7]?.body), "QueueFull");
  assert.equal(refused, ["full"]);
  for (const connection of connections) connection.reset();
});

test("slow bodies are dropped when others find no memory, and only then", async (context) => {
  const bodies = makeBodies({
    bytesMax: 400 * KIB,
    proxies: 0,
    pace: { bytesPerSecond: 1e9, graceMs: 300 },
  });
  const read: string[] = [];
  const server = await startServer({
    host: "127.0.0.1",
    port: 0,
    onArrival: bodies.receive,
    listener: async (request, response) => {
      const client = String(request.headers["x-client"]);
      const body = await readBody(bodies, request, client);
      read.push(`${client}: ${failureOf(body) ?? "read"}`);
      response.end();
    },
  });
  const stalled: Connection[] = [];
  // One after the other, so that their order is known.
  for (const client of ["a", "b", "c", "d", "e"]) {
    const body = bodyOf(60 * KIB, client).subarray(0, 55 * KIB);
    stalled.push(await send({ ...context, server }, body));
    await until(() => bodies.held() === stalled.length * 60 * KIB);
  }
  assert.equal(read, []);
  while (!read.includes("newcomer: read")) {
    const newcomer = await send({ ...context, server }, bodyOf(60 * KIB, "newcomer"));
    assert.is((await newcomer.answer())?.status, 200);
    newcomer.reset();
  }
  assert.ok(read.includes("a: RequestTooSlow"), read.join());
  for (const connection of stalled) connection.reset();
  await server.close(0);
});

test("a large Content-Length alone takes no memory from others", async (context) => {
  const { bodies } = context;
  const connections = await Promise.all(
    Array.from({ length: 20 }, () =>
      send(context, postBytes("x", { "X-Client": "a", "Content-Length": "1000000" })),
    ),
  );
  await until(() => bodies.held() > 0);
  assert.ok(bodies.held() <= 20 * 4 * KIB, `${bodies.held()}`);
  for (const connection of connections) connection.reset();
  await until(() => bodies.held() === 0);
});

test("a client that leaves while its body is received or inflated is charged nothing any more", async (context) => {
  const { bodies, read } = context;
  const half = await send(context, bodyOf(50 * KIB, "a").subarray(0, 20 * KIB));
  const places = Array.from({ length: 100 }, () => bodies.inflations.enter("others", () => {}));
  const waiting = await send(context, bodyOf(50 * KIB, "a", "gzip"));
  await until(() => bodies.inflations.waiting() === 97 && bodies.held() > 20 * KIB);
  half.reset();
  waiting.reset();
  await until(() => bodies.held() === 0);
  assert.is(bodies.inflations.waiting(), 96);
  await until(() => read.length === 2);
  for (const { body } of read) assert.is(failureOf(body), "RequestTruncated");
  for (const leave of places) leave();
});

test("a body that is still arriving after the response is no longer charged", async (context) => {
  const { bodies } = context;
  const bytes = bodyOf(50 * KIB, UNREAD);
  const connection = await send(context, bytes.subarray(0, 20 * KIB));
  assert.is((await connection.answer())?.status, 200);
  await until(() => bodies.held() === 0);
  connection.write(bytes.subarray(20 * KIB));
  connection.write(bodyOf(1, UNREAD));
  assert.is((await connection.answer())?.status, 200);
  await until(() => bodies.held() === 0);
  connection.reset();
});

test("a body in too many small pieces is refused, and its connection closed if they continue", async (context) => {
  const { bodies, read } = context;
  const connection = await send(
    context,
    Buffer.from(
      "POST /events HTTP/1.1\r\nHost: tidemark\r\nContent-Type: application/json\r\n" +
        "Transfer-Encoding: chunked\r\n\r\n",
    ),
  );
  connection.write("1\r\nx\r\n".repeat(1_100));
  await until(() => read.length === 1);
  assert.is(failureOf(read[0]?.body), "BodyFragmented");
  assert.is(bodies.held(), 0);
  connection.write("1\r\nx\r\n".repeat(2_000));
  await connection.closed();
});

test("a body in many pieces of an ordinary length is read", async (context) => {
  const { read } = context;
  const chunk = `50\r\n${"x".repeat(80)}\r\n`;
  const connection = await send(
    context,
    Buffer.from(
      "POST /events HTTP/1.1\r\nHost: tidemark\r\nContent-Type: application/json\r\n" +
        `Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(1_200)}0\r\n\r\n`,
    ),
  );
  await until(() => read.length === 1);
  assert.is(succeeded(read[0]?.body).bytes.length, 96_000);
  connection.reset();
});

test.run();
