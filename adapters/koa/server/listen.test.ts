import { fork } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { LISTENERS, listenTogether } from "./listen.ts";

const test = suite("listenTogether");

/** How many connections arrive together. */
const CONNECTIONS = 160;

test("a busy event loop accepts several connections per round", async () => {
  const path = fileURLToPath(new URL("busy_process.fixture.ts", import.meta.url));
  const child = fork(path, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const sockets: Socket[] = [];
  try {
    const [{ url }] = (await once(child, "message")) as [{ url: string }];
    child.send(CONNECTIONS);
    for (let i = 0; i < CONNECTIONS; i++) {
      const socket = connect(Number(new URL(url).port), "127.0.0.1");
      socket.on("error", () => {});
      sockets.push(socket);
    }
    const [{ rounds }] = (await once(child, "message")) as [{ rounds: number }];
    // The kernel distributes them randomly.
    const expected = LISTENERS === 1 ? CONNECTIONS + 2 : CONNECTIONS / 2;
    assert.ok(rounds <= expected, `${rounds} rounds`);
  } finally {
    for (const socket of sockets) socket.destroy();
    child.disconnect();
  }
});

test("a port that another server listens on is refused, whether it is shared or not", async () => {
  for (const count of [1, 2]) {
    const taken = Array.from({ length: count }, () => createServer());
    await listenTogether(taken, { host: "127.0.0.1", port: 0 });
    const address = taken[0]?.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const late = [createServer(), createServer()];
    try {
      await listenTogether(late, { host: "127.0.0.1", port });
      assert.unreachable("it should have failed");
    } catch (error) {
      assert.is((error as { code?: string }).code, "EADDRINUSE");
    }
    assert.not.ok(late.some((server) => server.listening));
    for (const server of taken) server.close();
  }
});

test.run();
