import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { freePort } from "../test/free_port.ts";
import { killWithParent } from "./child_process.ts";
import { until } from "./until.ts";

const pathOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The variables of every process. None comes from the user's shell, because it could change the outcome. */
const BASE_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: process.env["PATH"] ?? "",
  NODE_COMPILE_CACHE: pathOf("node_modules/.cache/tidemark/compile"),
};

const MAIN = pathOf("app/main.ts");

/** Applies the migrations, as a deployment does before its processes start. */
export const prepareDatabase = async (databaseUrl: string): Promise<void> => {
  const run = promisify(execFile);
  await run(process.execPath, [pathOf("db/main.ts")], {
    env: { ...BASE_ENVIRONMENT, DATABASE_URL: databaseUrl },
  });
  // Only a process that ends by itself writes the compile cache, from which the killed ones profit.
  await run(process.execPath, [MAIN, "--help"], { env: BASE_ENVIRONMENT });
};

export interface ServiceProcessOptions {
  /** For messages. */
  readonly name: string;
  /** The value of `ROLES`. */
  readonly roles: string;
  readonly nodeOptions?: ReadonlyArray<string>;
  readonly logPath: string;
}

/** The address of a service process, which outlives it. */
export interface ServiceAddress {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** Starts a process that listens there. It does not outlive this one. */
  readonly start: (environment: Readonly<Record<string, string>>) => ChildProcess;
  /**
   * Returns when `/readyz` answers 200.
   *
   * @param problem why it never will, if that is known
   */
  readonly ready: (problem?: () => string | undefined) => Promise<void>;
}

const HOST = "127.0.0.1";
const READY_WITHIN_MS = 60_000;
const READYZ_TIMEOUT_MS = 2_000;

/** Finds an address for a process of the service, so that every restart can use it. */
export const serviceAddress = async (options: ServiceProcessOptions): Promise<ServiceAddress> => {
  const { name, roles, nodeOptions = [], logPath } = options;
  const port = await freePort();
  const url = `http://${HOST}:${port}`;
  return {
    host: HOST,
    port,
    url,
    start: (environment) => {
      const log = openSync(logPath, "a");
      const child = spawn(process.execPath, [...nodeOptions, MAIN], {
        env: {
          ...BASE_ENVIRONMENT,
          HOST,
          PORT: String(port),
          ROLES: roles,
          LOG_FORMAT: "json",
          ...environment,
        },
        stdio: ["ignore", log, log],
      });
      closeSync(log);
      killWithParent(child);
      return child;
    },
    ready: (problem = () => undefined) =>
      until(
        `${name} is ready`,
        async () => {
          const reason = problem();
          if (reason !== undefined) throw new Error(reason);
          const signal = AbortSignal.timeout(READYZ_TIMEOUT_MS);
          return (await fetch(`${url}/readyz`, { signal })).status === 200;
        },
        READY_WITHIN_MS,
      ),
  };
};
