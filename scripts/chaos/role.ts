import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import type { FaultProxy } from "./fault_proxy.ts";
import { lastingPort } from "./lasting_port.ts";
import { BASE_ENVIRONMENT, MAIN } from "./prepare.ts";
import { until } from "./until.ts";

export interface RoleOptions {
  /** What it does: the value of `ROLES`. */
  readonly role: "api" | "worker" | "projector";
  /** Tells it from others of the same role. */
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Its own way to the database. */
  readonly link: FaultProxy;
  /** Where its output goes. */
  readonly logPath: string;
}

/** A process of the service with one role, which is started again whenever it ends, as by systemd. */
export interface Role {
  readonly name: string;
  readonly url: string;
  readonly link: FaultProxy;
  /** kill -9, now. The next process is under way when this returns. */
  readonly kill: () => Promise<void>;
  /** SIGTERM; says how it ended. The next process is under way when this returns. */
  readonly terminate: () => Promise<number | NodeJS.Signals>;
  readonly signal: (signal: "SIGSTOP" | "SIGCONT") => void;
  /** Changes variables from the next process on. */
  readonly configure: (environment: Readonly<Record<string, string>>) => void;
  /** Returns when `/readyz` says yes. */
  readonly ready: () => Promise<void>;
  /** How processes ended that nobody had asked to end. */
  readonly crashes: () => ReadonlyArray<string>;
  readonly close: () => Promise<void>;
}

const READY_WITHIN_MS = 60_000;
const READYZ_MS = 2_000;

/** A process that ends by itself is not started again at once, lest it do nothing else. */
const CRASHED_DELAY_MS = 200;

export const startRole = async (options: RoleOptions): Promise<Role> => {
  const port = await lastingPort();
  const url = `http://127.0.0.1:${port}`;
  const crashes: string[] = [];
  let environment = options.environment;
  let closing = false;
  /** Whether the end of the process that runs was asked for. */
  let asked = false;
  let child: ChildProcess;
  let ended: Promise<number | NodeJS.Signals>;

  const start = (): void => {
    const log = openSync(options.logPath, "a");
    child = spawn(process.execPath, [MAIN], {
      env: {
        ...BASE_ENVIRONMENT,
        HOST: "127.0.0.1",
        PORT: String(port),
        ROLES: options.role,
        LOG_FORMAT: "json",
        ...environment,
      },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    asked = false;
    ended = once(child, "exit").then(async ([code, signal]) => {
      const how = (code ?? signal) as number | NodeJS.Signals;
      if (closing) return how;
      if (!asked) {
        crashes.push(`${options.name} ended by itself (${how}); see ${options.logPath}`);
        await delay(CRASHED_DELAY_MS);
      }
      if (!closing) start();
      return how;
    });
  };
  const end = async (signal: NodeJS.Signals): Promise<number | NodeJS.Signals> => {
    asked = true;
    const ending = ended;
    child.kill(signal);
    return ending;
  };

  // Whatever ends this process, its children must not go on without it.
  const killNow = (): void => void child.kill("SIGKILL");
  process.on("exit", killNow);
  start();
  return {
    name: options.name,
    url,
    link: options.link,
    kill: async () => {
      await end("SIGKILL");
    },
    terminate: () => end("SIGTERM"),
    signal: (signal) => void child.kill(signal),
    configure: (next) => {
      environment = { ...options.environment, ...next };
    },
    ready: () =>
      until(
        `${options.name} is ready`,
        async () => {
          const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(READYZ_MS) });
          return answer.status === 200;
        },
        READY_WITHIN_MS,
      ),
    crashes: () => crashes,
    close: async () => {
      closing = true;
      process.off("exit", killNow);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
};
