import { suite } from "uvu";
import * as assert from "uvu/assert";

import {
  type Api,
  batchOf,
  get,
  postBytes,
  problemIn,
  refusal,
  requestBytes,
  startApi,
  validEvent,
} from "../api.fixture.ts";
import { type Connection, openConnection } from "./connection.fixture.ts";

interface Context {
  api: Api;
  connection: Connection;
}

const test = suite<Context>("requests that are not valid HTTP");

test.before(async (context) => {
  // Long enough for the other tests, short enough to wait for.
  context.api = await startApi({ headersTimeoutMs: 1_000, requestTimeoutMs: 1_500 });
});
test.before.each(async (context) => {
  context.connection = await openConnection(context.api.url);
});
test.after.each(({ connection }) => {
  connection.reset();
});
test.after(async ({ api }) => {
  assert.equal(api.defects, []);
  await api.close();
});

const HEAD = "POST /events HTTP/1.1\r\nHost: tidemark\r\nContent-Type: application/json\r\n";

for (const [what, bytes] of Object.entries({
  garbage: "garbage\r\n\r\n",
  "an unknown method": "NONSENSE /events HTTP/1.1\r\nHost: x\r\n\r\n",
  "a method in lower case": "get /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
  "an unknown version": "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
  "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  TLS: Buffer.from("16030100a5010000a10303", "hex"),
  "a target with a space": "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
  "no path": "GET ?window=last_7d HTTP/1.1\r\nHost: x\r\n\r\n",
  "a header without a name": "GET /healthz HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
  "a header with U+0000": "GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\u0000b\r\n\r\n",
  "a folded header": "GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
  "two lengths": `${HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
  "a length and chunks": `${HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  "a negative length": `${HEAD}Content-Length: -2\r\n\r\n{}`,
  "a length beyond 64 bits": `${HEAD}Content-Length: 99999999999999999999999\r\n\r\n{}`,
  "a chunk without a size": `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
  "a proxy's CONNECT": "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
})) {
  test(`${what} is answered with a problem, and the connection ends`, async (context) => {
    const { api, connection } = context;
    const before = await api.drain();
    connection.write(bytes);
    problemIn(await connection.answer(), 400, "http-malformed");
    await connection.closed();
    assert.is(await api.drain(), before);
  });
}

test("a refused client that resets its connection does not affect the service", async (context) => {
  const { api, connection } = context;
  connection.write("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
  problemIn(await connection.answer(), 400, "http-malformed");
  connection.reset();
  // Only the service could have failed by now, and that would have ended this process.
  assert.is((await get(api, "/healthz")).status, 200);
});

for (const [what, bytes] of Object.entries({
  "a header of 20 KB": requestBytes("GET /healthz", "", { Cookie: "x".repeat(20_000) }),
  "a path of 20 KB": requestBytes(`GET /accounts/${"x".repeat(20_000)}/summary`),
  "a thousand headers": requestBytes(
    "GET /healthz",
    "",
    Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`X-Header-${i}`, "some value"])),
  ),
})) {
  test(`${what} is refused as too large`, async ({ connection }) => {
    connection.write(bytes);
    problemIn(await connection.answer(), 431, "headers-too-large");
    await connection.closed();
  });
}

test("a request without a Host header is refused, and its connection stays usable", async ({
  api,
}) => {
  const bytes = Buffer.from("GET /healthz HTTP/1.1\r\n\r\n");
  const { detail } = await refusal(api, bytes, 400, "http-malformed");
  assert.match(detail, "Host");
});

test("HTTP/1.0 needs no Host header", async ({ connection }) => {
  connection.write("GET /healthz HTTP/1.0\r\n\r\n");
  assert.is((await connection.answer())?.status, 200);
  await connection.closed();
});

test("the expectation 100-continue is met, others are ignored", async (context) => {
  const { api, connection } = context;
  const before = await api.drain();
  for (const expectation of ["100-continue", "cats"]) {
    connection.write(postBytes(batchOf(validEvent()), { Expect: expectation }));
    assert.is((await connection.answer())?.status, 202);
  }
  assert.is(await api.drain(), before + 2);
});

test("a client that stops in mid-body gets a problem, and nothing is stored", async (context) => {
  const { api, connection } = context;
  const before = await api.drain();
  connection.write(postBytes(batchOf(validEvent())).subarray(0, -5));
  connection.halfClose();
  problemIn(await connection.answer(), 400, "request-truncated");
  await connection.closed();
  assert.is(await api.drain(), before);
});

test("a client that stops in mid-chunk or mid-headers gets a problem", async ({ api }) => {
  const chunk = `${HEAD}Transfer-Encoding: chunked\r\n\r\n10\r\n{}`;
  for (const bytes of [chunk, chunk.slice(0, 30)]) {
    const connection = await openConnection(api.url);
    connection.write(bytes);
    connection.halfClose();
    problemIn(await connection.answer(), 400, "request-truncated");
    await connection.closed();
  }
});

test("a client that leaves in mid-body leaves nothing behind", async ({ api }) => {
  const before = await api.drain();
  const gone = Array.from({ length: 20 }, async (_, i) => {
    const connection = await openConnection(api.url);
    await connection.flush(postBytes(batchOf(validEvent())).subarray(0, -1 - i));
    connection.reset();
    await connection.closed();
  });
  await Promise.all(gone);
  // The server has processed them first.
  const connection = await openConnection(api.url);
  connection.write(postBytes(batchOf(validEvent())));
  assert.is((await connection.answer())?.status, 202);
  connection.reset();
  assert.is(await api.drain(), before + 1);
});

test("a client that sends a whole request and closes its side is answered", async ({
  connection,
}) => {
  connection.write(postBytes(batchOf(validEvent())));
  connection.halfClose();
  assert.is((await connection.answer())?.status, 202);
  await connection.closed();
});

test("a fault after a whole request does not change the response to that request", async (context) => {
  const { api, connection } = context;
  const before = await api.drain();
  const good = postBytes(batchOf(validEvent()));
  connection.write(Buffer.concat([good, good, Buffer.from("garbage\r\n\r\n")]));
  for (let i = 0; i < 2; i++) assert.is((await connection.answer())?.status, 202);
  assert.is(await connection.answer(), undefined);
  await connection.closed();
  assert.is(await api.drain(), before + 1);
});

test("pipelined requests are answered in order", async ({ connection }) => {
  const bad = postBytes("[");
  const paths = ["/healthz", "/nowhere", "/readyz"].map((path) => requestBytes(`GET ${path}`));
  connection.write(Buffer.concat([postBytes(batchOf(validEvent())), bad, ...paths]));
  const statuses = [];
  for (let i = 0; i < 5; i++) statuses.push((await connection.answer())?.status);
  assert.equal(statuses, [202, 400, 200, 404, 200]);
});

test("a client that takes too long for its headers gets a problem and is disconnected", async ({
  connection,
}) => {
  connection.write("GET /healthz HTTP/1.1\r\nHost: ");
  problemIn(await connection.answer(), 408, "request-too-slow");
  await connection.closed();
});

test("a client that takes too long for its body gets a problem and is disconnected, and nothing is stored", async (context) => {
  const { api, connection } = context;
  const before = await api.drain();
  connection.write(postBytes(batchOf(validEvent())).subarray(0, -1));
  problemIn(await connection.answer(), 408, "request-too-slow");
  await connection.closed();
  assert.is(await api.drain(), before);
});

test.run();
