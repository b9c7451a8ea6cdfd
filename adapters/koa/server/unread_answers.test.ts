import { once } from "node:events";
import { connect, type Socket } from "node:net";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { until } from "../../../scripts/test/patience.ts";
import { requestBytes } from "../api.fixture.ts";
import { type Server, startServer } from "./server.ts";

const test = suite("unread responses");

const MIB = 1024 * 1024;

/** Far more than the kernel buffers for a connection that nobody reads. */
const ANSWER = Buffer.alloc(32 * MIB, "x");

const start = (isFairByAddress: boolean, refused: Array<number | string>): Promise<Server> =>
  startServer({
    host: "127.0.0.1",
    port: 0,
    listener: (_, response) => response.end(ANSWER),
    connectionsMax: 100,
    isFairByAddress,
    unreadBytesMax: 160 * MIB,
    onRefused: (reason) => refused.push(reason),
  });

/** Sends a request from an address of this machine; does not read the response by itself. */
const ask = async ({ url }: Server, localAddress: string): Promise<Socket> => {
  const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1", localAddress });
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(requestBytes("GET /"));
  return socket;
};

const readAll = async (socket: Socket): Promise<number> => {
  let length = 0;
  socket.on("data", (piece: Buffer) => (length += piece.length));
  const closed = once(socket, "close");
  await Promise.race([closed, until(() => length > ANSWER.length)]);
  return length;
};

test("an address that does not read responses loses connections beyond its share; another gets its response whole", async () => {
  const refused: Array<number | string> = [];
  const server = await start(true, refused);
  const unread = [];
  for (let i = 0; i < 6; i++) unread.push(await ask(server, "127.0.0.2"));
  await until(() => refused.length >= 2);
  assert.ok(refused.every((reason) => reason === "unread"));
  assert.ok(refused.length < 6, `${refused.length}`);
  assert.ok((await readAll(await ask(server, "127.0.0.3"))) > ANSWER.length);
  // It can still read those within its share.
  assert.ok((await readAll(unread[0] as Socket)) > ANSWER.length);
  for (const socket of unread) socket.destroy();
  await server.close(0);
});

test("behind a proxy only the sum is bounded, because it makes all connections", async () => {
  const refused: Array<number | string> = [];
  const server = await start(false, refused);
  const unread = [];
  for (let i = 0; i < 10; i++) unread.push(await ask(server, "127.0.0.2"));
  await until(() => refused.length >= 4);
  assert.ok(refused.length < 8, `${refused.length}`);
  for (const socket of unread) socket.destroy();
  await server.close(0);
});

test.run();
