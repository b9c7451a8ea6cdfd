import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { remedyOf } from "./errors.ts";
import { StatementPool } from "./statement_pool.ts";

const test = suite("opening a connection");

const message = (type: string, content: Buffer): Buffer => {
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
};

const status = (name: string, value: string): Buffer =>
  message("S", Buffer.from(`${name}\0${value}\0`));

/**
 * What Postgres sends to a client that has logged in. Version 17 gets a query before the client is
 * handed out.
 */
const loggedIn = (version: string): Buffer =>
  Buffer.concat([
    message("R", Buffer.alloc(4)),
    status("server_version", version),
    status("in_hot_standby", "off"),
    status("default_transaction_read_only", "off"),
    message("K", Buffer.alloc(8)),
    message("Z", Buffer.from("I")),
  ]);

/** Runs `run` with a pool of one connection to a server that handles sockets with `onConnect`. */
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

/** Connects to a server that lets a client log in and handles its first query with `onQuery`. */
const failureOf = (onQuery: (socket: Socket) => void): Promise<unknown> =>
  withPool(
    (socket) => {
      socket.write(loggedIn("17.4"));
      socket.once("data", () => onQuery(socket));
    },
    (pool) =>
      pool.connect().then(
        () => undefined,
        (error: unknown) => error,
      ),
  );

/** The errors that would have ended the process during `run`. */
const uncaughtDuring = async (run: () => Promise<void>): Promise<ReadonlyArray<unknown>> => {
  const uncaught: unknown[] = [];
  const catchOne = (error: unknown): void => void uncaught.push(error);
  process.on("uncaughtException", catchOne);
  await run();
  process.off("uncaughtException", catchOne);
  return uncaught;
};

test("if it breaks, the call fails and the process does not end", async () => {
  const uncaught = await uncaughtDuring(async () => {
    const failure = await failureOf((socket) => socket.resetAndDestroy());
    assert.is(remedyOf(failure), "retry", String(failure));
  });
  assert.equal(uncaught, []);
});

test("the new connection is used even if the old one that it replaces breaks meanwhile", async () => {
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

test("it is given up if the server does not answer", async () => {
  const failure = await failureOf(() => {});
  assert.is(remedyOf(failure), "wait", String(failure));
});

test.run();
