import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";

import { lastingPort } from "./lasting_port.ts";

/** Whether this machine has a Redis to run. */
export const hasRedis = (): boolean => spawnSync("redis-server", ["--version"]).error === undefined;

/** A real Redis that keeps nothing on disk. */
export interface RedisServer {
  readonly port: number;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Kills it, and returns when it is dead. */
  readonly kill: () => Promise<void>;
  /** Starts it again, on the same port; returns when it accepts connections. */
  readonly start: () => Promise<void>;
}

export const startRedisServer = async (folder: string): Promise<RedisServer> => {
  const port = await lastingPort();
  let child: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    const settings = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", folder];
    child = spawn("redis-server", settings, { stdio: ["ignore", "pipe", "ignore"] });
    for await (const text of child.stdout ?? []) {
      if (String(text).includes("Ready to accept connections")) break;
    }
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  };

  // Whatever ends this process, its children must not go on without it.
  process.once("exit", () => void child?.kill("SIGKILL"));
  await start();
  return { port, signal: (signal) => void child?.kill(signal), kill, start };
};

/** Empties a Redis. */
export const flushRedis = async (port: number): Promise<void> => {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.end("FLUSHALL\r\n");
  socket.resume();
  await once(socket, "close");
};
