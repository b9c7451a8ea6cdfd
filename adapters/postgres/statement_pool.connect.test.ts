import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { remedyOf } from "./errors.ts";
import { StatementPool } from "./statement_pool.ts";

const test = suite("a connection that is being prepared");

const message = (type: string, content: Buffer): Buffer => {
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
};

const status = (name: string, value: string): Buffer =>
  message("S", Buffer.from(`${name}\0${value}\0`));

/** What a Postgres 17 says when it lets a client in. */
const LOGGED_IN = Buffer.concat([
  message("R", Buffer.alloc(4)),
  status("server_version", "17.4"),
  status("in_hot_standby", "off"),
  status("default_transaction_read_only", "off"),
  message("K", Buffer.alloc(8)),
  message("Z", Buffer.from("I")),
]);

/** Connects a pool to a server that lets it in, and does something else when it is asked the first thing. */
const failureOf = async (onAsked: (socket: Socket) => void): Promise<unknown> => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write(LOGGED_IN);
      socket.once("data", () => onAsked(socket));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const pool = new StatementPool({
    connectionString: `postgres://a:b@127.0.0.1:${port}/c`,
    max: 1,
    answerTimeoutMs: 60_000,
    backends: {
      cancel: async () => {},
      terminate: async () => {},
      stateOf: async () => "gone",
    },
  });
  pool.on("error", () => {});
  try {
    await pool.connect();
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await pool.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
};

test("may break, which is an error like any other and not the end of the process", async () => {
  const uncaught: unknown[] = [];
  const catchOne = (error: unknown): void => void uncaught.push(error);
  process.on("uncaughtException", catchOne);
  const failure = await failureOf((socket) => socket.resetAndDestroy());
  process.off("uncaughtException", catchOne);
  assert.is(remedyOf(failure), "retry", String(failure));
  assert.equal(uncaught, []);
});

test("is given up when the server does not answer", async () => {
  const failure = await failureOf(() => {});
  assert.is(remedyOf(failure), "wait", String(failure));
});

test.run();
