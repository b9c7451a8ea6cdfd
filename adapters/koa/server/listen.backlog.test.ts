import { fork } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { skipSuite } from "../../../scripts/test/skip.ts";
import { LISTEN_BACKLOG } from "../limits.ts";

const test = suite("the listen backlog");

/** More than fit into Node's default backlog: 511 for each of eight listeners. */
const CONNECTIONS = 5_000;

test("the kernel drops no connection of a burst to a busy service", async () => {
  const path = fileURLToPath(new URL("../api_process.fixture.ts", import.meta.url));
  const server = fork(path, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const sockets: Socket[] = [];
  try {
    const [{ url }] = (await once(server, "message")) as [{ url: string }];
    // Frozen, it accepts nothing, so that all connections wait in the kernel.
    server.kill("SIGSTOP");
    let connected = 0;
    await new Promise<void>((resolve, reject) => {
      // The kernel retries a dropped connection after a second, and then for minutes.
      const giveUp = setTimeout(
        () => reject(new Error(`only ${connected} of ${CONNECTIONS} connected`)),
        30_000,
      );
      for (let i = 0; i < CONNECTIONS; i++) {
        const socket = connect(Number(new URL(url).port), "127.0.0.1", () => {
          connected++;
          if (connected < CONNECTIONS) return;
          clearTimeout(giveUp);
          resolve();
        });
        socket.on("error", reject);
        sockets.push(socket);
      }
    });
    assert.is(connected, CONNECTIONS);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.kill("SIGKILL");
  }
});

// The kernel's limit. Other systems allow less, and have no such file.
const allowed = await readFile("/proc/sys/net/core/somaxconn", "utf8").catch(() => "0");
if (Number(allowed) < LISTEN_BACKLOG) {
  skipSuite("the listen backlog", `the kernel lets ${Number(allowed)} connections wait`);
} else {
  test.run();
}
