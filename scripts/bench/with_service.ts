import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { present } from "../../core/invariant.ts";
import { createMigratedDatabase } from "../test/migrated_database.ts";

/** A process that runs beside this one. */
export interface Child {
  /** The first group of `pattern` in the line that says that the process is ready. */
  readonly found: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/** Starts a script of this repository, and waits for an output line that matches `pattern`. */
export const startChild = async (
  script: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  pattern: RegExp,
  nodeOptions: ReadonlyArray<string> = [],
): Promise<Child> => {
  const child = spawn(process.execPath, [...nodeOptions, script, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [, found] = pattern.exec(line) ?? [];
    if (found === undefined) continue;
    // A full pipe would block the process.
    child.stdout.resume();
    return { found, pid: present(child.pid, `${script} has a process`), stop: () => stop(child) };
  }
  throw new Error(`${script} ended before it was ready`);
};

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
};

/** The shards of the logs of benchmarks: the default of the service. */
export const SHARDS = 8;

const PACKAGE = new URL("../../package.json", import.meta.url);
const { scripts } = JSON.parse(readFileSync(PACKAGE, "utf8")) as { scripts: { start: string } };

/** The options that `npm start` gives to node. */
export const NODE_OPTIONS: ReadonlyArray<string> = scripts.start
  .split(" ")
  .filter((word) => word.startsWith("--"));

/** Starts the service as `npm start` does, and waits until it listens: `found` is its URL. */
export const startService = (env: Readonly<Record<string, string>>): Promise<Child> =>
  startChild(
    "app/main.ts",
    [],
    { PORT: "0", LOG_FORMAT: "json", ...env },
    /listens on (http:\S+?)[" ]/,
    NODE_OPTIONS,
  );

/** Runs the service on a database of its own while `use` runs. */
export const withService = async <A>(
  env: Readonly<Record<string, string>>,
  use: (service: Child, databaseUrl: string) => Promise<A>,
): Promise<A> => {
  const { url, close } = await createMigratedDatabase(SHARDS);
  let service: Child | undefined;
  try {
    service = await startService({ DATABASE_URL: url, ...env });
    return await use(service, url);
  } finally {
    await service?.stop();
    await close();
  }
};
