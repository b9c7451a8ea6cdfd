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

/** What a Postgres says when it lets a client in. A 17 is asked something then, before the client is given. */
const loggedIn = (version: string): Buffer =>
  Buffer.concat([
    message("R", Buffer.alloc(4)),
    status("server_version", version),
    status("in_hot_standby", "off"),
    status("default_transaction_read_only", "off"),
    message("K", Buffer.alloc(8)),
    message("Z", Buffer.from("I")),
  ]);

/** Runs something with a pool of one connection, whose server does with its sockets what is given. */
const withPool = async <A>(
  onConnect: (socket: Socket) => void,
  run: (pool: StatementPool) => Promise<A>,
  now?: () => number,
): Promise<A> => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.once("data", () => onConnect(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const pool = new StatementPool({
    connectionString: `postgres://a:b@127.0.0.1:${port}/c`,
    min: 1,
    max: 1,
    answerTimeoutMs: 60_000,
    timelines: { enter: async () => {}, history: () => 0 },
    backends: {
      cancel: async () => {},
      terminate: async () => {},
      stateOf: async () => "gone",
    },
    ...(now === undefined ? {} : { now }),
  });
  pool.on("error", () => {});
  try {
    return await run(pool);
  } finally {
    await pool.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
};

/** Connects to a server that lets a client in, and does something else when it is asked the first thing. */
const failureOf = (onAsked: (socket: Socket) => void): Promise<unknown> =>
  withPool(
    (socket) => {
      socket.write(loggedIn("17.4"));
      socket.once("data", () => onAsked(socket));
    },
    (pool) =>
      pool.connect().then(
        () => undefined,
        (error: unknown) => error,
      ),
  );

/** What would have ended the process while something ran. */
const uncaughtDuring = async (run: () => Promise<void>): Promise<ReadonlyArray<unknown>> => {
  const uncaught: unknown[] = [];
  const catchOne = (error: unknown): void => void uncaught.push(error);
  process.on("uncaughtException", catchOne);
  await run();
  process.off("uncaughtException", catchOne);
  return uncaught;
};

test("may break, which is an error like any other and not the end of the process", async () => {
  const uncaught = await uncaughtDuring(async () => {
    const failure = await failureOf((socket) => socket.resetAndDestroy());
    assert.is(remedyOf(failure), "retry", String(failure));
  });
  assert.equal(uncaught, []);
});

test("is used although the old one, in whose place it is opened, breaks meanwhile", async () => {
  const clock = { now: 0 };
  const sockets: Socket[] = [];
  const onConnect = (socket: Socket): void => {
    const [old] = sockets;
    sockets.push(socket);
    if (old === undefined) {
      socket.write(loggedIn("16.4"));
      return;
    }
    old.once("close", () => setTimeout(() => socket.write(loggedIn("16.4")), 50));
    old.resetAndDestroy();
  };
  const connectTwice = async (pool: StatementPool): Promise<void> => {
    const old = await pool.connect();
    old.release();
    clock.now = 60_000;
    const client = await pool.connect();
    assert.is.not(client, old);
    client.release();
  };
  const uncaught = await uncaughtDuring(() => withPool(onConnect, connectTwice, () => clock.now));
  assert.equal(uncaught, []);
});

test("is given up when the server does not answer", async () => {
  const failure = await failureOf(() => {});
  assert.is(remedyOf(failure), "wait", String(failure));
});

test.run();
