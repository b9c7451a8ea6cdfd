import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { parse } from "yaml";

import { cpuSecondsOf, waitSecondsOf } from "../bench/cpu_time.ts";
import { NODE_OPTIONS } from "../bench/with_service.ts";
import { endChild } from "../testbed/child_process.ts";
import { serviceAddress } from "../testbed/service_process.ts";

/** What is measured and judged of a process of the service. */
export interface ProcessFigures {
  /** Its roles. */
  readonly name: string;
  /** The peak of its resident memory in MiB; undefined if it is unknown. */
  readonly residentMib: number | undefined;
  readonly residentMaxMib: number;
  /** The processor time that it used so far. */
  readonly cpuSeconds: number;
  /** How long its main thread was ready to run without a processor. */
  readonly waitedSeconds: number;
  /** How it ended, if it ended by itself. */
  readonly died: string | undefined;
}

/** The service: one process with all roles, or one for each role. */
export interface Service {
  /** The address of its API. */
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
  /** The folder of the logs. */
  readonly folder: string;
  /** The name of its log. */
  readonly name: string;
}

/** The memory limit of a process with all roles, in MiB. */
const ALL_ROLES_MAX_MIB = 512;

const ROLES = ["api", "worker", "projector"] as const;
const STOP_WITHIN_MS = 10_000;

/** How often a process is sampled: one that died cannot be measured any more. */
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
  const [{ host, port, url }] = processes as [ServiceProcess];
  return {
    host,
    port,
    url,
    figures: () => processes.map(({ figures }) => figures()),
    isAlive: () => processes.every(({ figures }) => figures().died === undefined),
    stop,
  };
};

interface ServiceProcess {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly ready: () => Promise<void>;
  readonly figures: () => ProcessFigures;
  readonly stop: () => Promise<void>;
}

const startProcess = async (
  { environment, folder, name }: ServiceOptions,
  roles: string,
  residentMaxMib: number,
): Promise<ServiceProcess> => {
  const logPath = join(folder, `${name}-${roles}.log`);
  const address = await serviceAddress({ name: roles, roles, nodeOptions: NODE_OPTIONS, logPath });
  const child = address.start({ AUTH: "required", ...environment });
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
  child.once("exit", (code, signal) => {
    clearInterval(sampling);
    if (!stopping) died = `ended by itself (${code ?? signal ?? "?"})`;
  });

  return {
    host: address.host,
    port: address.port,
    url: address.url,
    ready: () => address.ready(() => died),
    figures: () => ({
      name: roles,
      residentMib,
      residentMaxMib,
      cpuSeconds,
      waitedSeconds,
      died,
    }),
    stop: () => {
      stopping = true;
      return endChild(child, "SIGTERM", STOP_WITHIN_MS);
    },
  };
};

const KIB_PER_MIB = 1_024;

/** The peak of a process's resident memory in MiB; undefined if it has ended or this is not Linux. */
const peakResidentMibOf = async (pid: number): Promise<number | undefined> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? undefined : Number(kib) / KIB_PER_MIB;
};

const COMPOSE = new URL("../../docker-compose.yml", import.meta.url);

/** The memory limit of a role in docker-compose.yml, in MiB. */
const composeLimitMibOf = (role: string): number => {
  const { services } = parse(readFileSync(COMPOSE, "utf8"), { merge: true }) as {
    services: Record<string, { mem_limit?: string }>;
  };
  const mib = /^(\d+)m$/.exec(services[role]?.mem_limit ?? "")?.[1];
  if (mib === undefined) throw new Error(`docker-compose.yml has no mem_limit in MiB for ${role}`);
  return Number(mib);
};
