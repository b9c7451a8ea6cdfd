import { spawn } from "node:child_process";
import { once } from "node:events";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { stopServer } from "./stop_server.ts";

const test = suite("embedded_postgres/stop_server");

const bounds = { fastMs: 100, immediateMs: 100 };

/** A process that shrugs off the given signals. */
async function stubborn(...ignored: string[]) {
  const source = `for (const s of ${JSON.stringify(ignored)}) process.on(s, () => {});
    setInterval(() => {}, 1000); console.log("up");`;
  const child = spawn(process.execPath, ["-e", source]);
  await once(child.stdout, "data");
  return {
    signal: (name: NodeJS.Signals) => void child.kill(name),
    isGone: () => child.exitCode !== null || child.signalCode !== null,
  };
}

test("a server that obeys is stopped with SIGINT", async () => {
  const { signal, isGone } = await stubborn();
  assert.is(await stopServer(signal, isGone, { fastMs: 2_000, immediateMs: 100 }), "SIGINT");
});

test("a server that hangs in its fast shutdown is stopped harder", async () => {
  const { signal, isGone } = await stubborn("SIGINT");
  assert.is(await stopServer(signal, isGone, { fastMs: 100, immediateMs: 2_000 }), "SIGQUIT");
});

test("a server that ignores everything is killed", async () => {
  const { signal, isGone } = await stubborn("SIGINT", "SIGQUIT");
  assert.is(await stopServer(signal, isGone, bounds), "SIGKILL");
});

test("a server that cannot be stopped is an error, not an endless wait", async () => {
  try {
    await stopServer(
      () => undefined,
      () => false,
      bounds,
    );
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), /does not end/);
  }
});

test.run();
