import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

import { endChild, type Ending } from "../testbed/child_process.ts";
import { serviceAddress } from "../testbed/service_process.ts";
import type { FaultProxy } from "./fault_proxy.ts";

export interface RoleOptions {
  /** The value of `ROLES`. */
  readonly role: "api" | "worker" | "projector";
  /** Distinguishes processes with the same role. */
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The link of this process to the database. */
  readonly link: FaultProxy;
  /** The file for its output. */
  readonly logPath: string;
}

/** A process of the service with one role, restarted whenever it ends, as systemd would. */
export interface Role {
  readonly name: string;
  readonly url: string;
  readonly link: FaultProxy;
  /** Sends SIGKILL. The next process is starting when this returns. */
  readonly kill: () => Promise<void>;
  /** Sends SIGTERM, and returns how the process ended. The next one is starting when this returns. */
  readonly terminate: () => Promise<Ending>;
  readonly signal: (signal: "SIGSTOP" | "SIGCONT") => void;
  /** Changes variables, from the next process on. */
  readonly configure: (environment: Readonly<Record<string, string>>) => void;
  /** Returns when `/readyz` answers 200. */
  readonly ready: () => Promise<void>;
  /** The ends of processes that no scenario caused. */
  readonly crashes: () => ReadonlyArray<string>;
  readonly close: () => Promise<void>;
}

/** Delays the restart of a process that ended by itself, to avoid a busy loop. */
const CRASHED_DELAY_MS = 200;

export const startRole = async (options: RoleOptions): Promise<Role> => {
  const { role, name, logPath } = options;
  const address = await serviceAddress({ name, roles: role, logPath });
  const crashes: string[] = [];
  let environment = options.environment;
  let closing = false;
  /** Whether a scenario ends the process that runs. */
  let expected = false;
  let child: ChildProcess;
  let ended: Promise<Ending>;

  const start = (): void => {
    child = address.start(environment);
    expected = false;
    ended = once(child, "exit").then(async ([code, signal]) => {
      const ending = (code ?? signal) as Ending;
      if (closing) return ending;
      if (!expected) {
        crashes.push(`${name} ended by itself (${ending}); see ${logPath}`);
        await delay(CRASHED_DELAY_MS);
      }
      if (!closing) start();
      return ending;
    });
  };
  const end = (signal: NodeJS.Signals): Promise<Ending> => {
    expected = true;
    child.kill(signal);
    return ended;
  };

  start();
  return {
    name,
    url: address.url,
    link: options.link,
    kill: async () => {
      await end("SIGKILL");
    },
    terminate: () => end("SIGTERM"),
    signal: (signal) => void child.kill(signal),
    configure: (next) => {
      environment = { ...options.environment, ...next };
    },
    ready: () => address.ready(),
    crashes: () => crashes,
    close: () => {
      closing = true;
      return endChild(child, "SIGKILL");
    },
  };
};
