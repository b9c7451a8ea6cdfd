import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Redis } from "ioredis";

import { freePort } from "./free_port.ts";

/** Why tests with a real Redis cannot run; undefined if they can. */
export const redisMissing: string | undefined =
  spawnSync("redis-server", ["--version"]).error === undefined
    ? undefined
    : "redis-server is not installed (on Debian: apt-get install redis-server)";

/** A Redis without persistence, on a free port. */
export interface RedisServer {
  readonly url: string;
  /** Runs a command on a connection of its own. */
  readonly run: (command: string, ...args: ReadonlyArray<string>) => Promise<unknown>;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Kills it, like a crash. */
  readonly kill: () => Promise<void>;
  /** Starts it again on the same port. */
  readonly start: (...settings: ReadonlyArray<string>) => Promise<void>;
  /** Kills it, and removes its files. */
  readonly close: () => Promise<void>;
}

/** @param settings arguments of the command line, such as `--requirepass` */
export const startRedisServer = async (
  ...settings: ReadonlyArray<string>
): Promise<RedisServer> => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-redis-"));
  const port = await freePort();
  let child: ChildProcess | undefined;

  const start = async (...own: ReadonlyArray<string>): Promise<void> => {
    const fixed = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", folder];
    child = spawn("redis-server", [...fixed, ...own], { stdio: ["ignore", "pipe", "inherit"] });
    child.stdout?.setEncoding("utf8");
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

  // However this process ends, the server ends with it.
  const killNow = (): void => void child?.kill("SIGKILL");
  process.once("exit", killNow);
  await start(...settings);
  return {
    url: `redis://127.0.0.1:${port}/0`,
    run: async (command, ...args) => {
      const redis = new Redis(port, "127.0.0.1", { retryStrategy: () => null });
      try {
        return await redis.call(command, ...args);
      } finally {
        redis.disconnect();
      }
    },
    signal: (signal) => void child?.kill(signal),
    kill,
    start,
    close: async () => {
      process.off("exit", killNow);
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
};
