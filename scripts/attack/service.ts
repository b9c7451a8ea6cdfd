import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { parse } from "yaml";

import { cpuSecondsOf, waitSecondsOf } from "../bench/cpu_time.ts";
import { NODE_OPTIONS } from "../bench/with_service.ts";
import { lastingPort } from "../chaos/lasting_port.ts";
import { BASE_ENVIRONMENT, MAIN } from "../chaos/prepare.ts";
import { until } from "../chaos/until.ts";
import { peakResidentMibOf } from "./memory.ts";

/** A process of the service, as it is judged. */
export interface ProcessFigures {
  /** Its roles. */
  readonly name: string;
  /** The most memory that it has had resident, in MiB; undefined where that cannot be known. */
  readonly residentMib: number | undefined;
  readonly residentMaxMib: number;
  /** The processor time that it has used so far. */
  readonly cpuSeconds: number;
  /** How long its main thread could have run and had no processor. */
  readonly waitedSeconds: number;
  /** How it ended, if it did so by itself. */
  readonly died: string | undefined;
}

/** The service: one process with all roles, or one for each. */
export interface Service {
  /** Where its API listens. */
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly figures: () => ReadonlyArray<ProcessFigures>;
  /** Whether all of its processes run. */
  readonly isAlive: () => boolean;
  readonly stop: () => Promise<void>;
}

export interface ServiceOptions {
  readonly rolesApart: boolean;
  readonly environment: Readonly<Record<string, string>>;
  /** Where the logs go. */
  readonly folder: string;
  /** What its log is called. */
  readonly name: string;
}

/** What a process with all roles may have, in MiB. */
const ALL_ROLES_MAX_MIB = 512;

const ROLES = ["api", "worker", "projector"] as const;
const HOST = "127.0.0.1";
const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 10_000;

/** How often the memory of a process is looked at; a process that died cannot be asked any more. */
const SAMPLE_MS = 100;

/** Starts the service as `npm start` does, and waits until it is ready. */
export const startService = async (options: ServiceOptions): Promise<Service> => {
  const processes: ServiceProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(processes.map((each) => each.stop()));
  };
  const start = async (roles: string, residentMaxMib: number): Promise<ServiceProcess> => {
    const started = await startProcess(options, roles, residentMaxMib);
    processes.push(started);
    return started;
  };
  try {
    if (options.rolesApart) {
      for (const role of ROLES) await start(role, composeLimitMibOf(role));
    } else {
      await start(ROLES.join(","), ALL_ROLES_MAX_MIB);
    }
    await Promise.all(processes.map(({ ready }) => ready()));
  } catch (error) {
    await stop();
    throw error;
  }
  const [{ port }] = processes as [ServiceProcess];
  return {
    host: HOST,
    port,
    url: `http://${HOST}:${port}`,
    figures: () => processes.map(({ figures }) => figures()),
    isAlive: () => processes.every(({ figures }) => figures().died === undefined),
    stop,
  };
};

interface ServiceProcess {
  readonly port: number;
  readonly ready: () => Promise<void>;
  readonly figures: () => ProcessFigures;
  readonly stop: () => Promise<void>;
}

const startProcess = async (
  { environment, folder, name }: ServiceOptions,
  roles: string,
  residentMaxMib: number,
): Promise<ServiceProcess> => {
  const port = await lastingPort();
  const log = openSync(join(folder, `${name}-${roles}.log`), "a");
  const child = spawn(process.execPath, [...NODE_OPTIONS, MAIN], {
    env: {
      ...BASE_ENVIRONMENT,
      HOST,
      PORT: String(port),
      ROLES: roles,
      AUTH: "required",
      LOG_FORMAT: "json",
      ...environment,
    },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  let stopping = false;
  let died: string | undefined;
  let residentMib: number | undefined;
  let cpuSeconds = 0;
  let waitedSeconds = 0;
  const sample = async (): Promise<void> => {
    residentMib = (await peakResidentMibOf(child.pid ?? 0)) ?? residentMib;
    cpuSeconds = Math.max(cpuSeconds, await cpuSecondsOf(child.pid ?? 0));
    waitedSeconds = Math.max(waitedSeconds, await waitSecondsOf(child.pid ?? 0));
  };
  const sampling = setInterval(() => void sample(), SAMPLE_MS);
  // Whatever ends this process, its children must not go on without it.
  const killNow = (): void => void child.kill("SIGKILL");
  process.on("exit", killNow);
  child.once("exit", (code, signal) => {
    clearInterval(sampling);
    if (!stopping) died = `ended by itself (${code ?? signal ?? "?"})`;
  });

  return {
    port,
    ready: () =>
      until(
        `${roles} is ready`,
        async () => {
          if (died !== undefined) throw new Error(died);
          return (await fetch(`http://${HOST}:${port}/readyz`)).status === 200;
        },
        READY_WITHIN_MS,
      ),
    figures: () => ({
      name: roles,
      residentMib,
      residentMaxMib,
      cpuSeconds,
      waitedSeconds,
      died,
    }),
    stop: async () => {
      stopping = true;
      if (isRunning(child)) {
        const exited = once(child, "exit");
        child.kill("SIGTERM");
        const kill = setTimeout(killNow, STOP_WITHIN_MS);
        await exited;
        clearTimeout(kill);
      }
      process.off("exit", killNow);
    },
  };
};

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode === null && signalCode === null;

const COMPOSE = new URL("../../docker-compose.yml", import.meta.url);

/** What docker-compose.yml lets a role have, in MiB. */
const composeLimitMibOf = (role: string): number => {
  const { services } = parse(readFileSync(COMPOSE, "utf8"), { merge: true }) as {
    services: Record<string, { mem_limit?: string }>;
  };
  const mib = /^(\d+)m$/.exec(services[role]?.mem_limit ?? "")?.[1];
  if (mib === undefined) throw new Error(`docker-compose.yml has no mem_limit in MiB for ${role}`);
  return Number(mib);
};
