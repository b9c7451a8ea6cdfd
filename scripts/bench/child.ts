import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A process that a benchmark runs beside itself. */
export interface Child {
  /** The first line of its output that `pattern` matches: the first group. */
  readonly found: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/** Starts a script of this repository and waits for a line that says it is ready. */
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
    // Nobody reads what else it says; a full pipe would stop it.
    child.stdout.resume();
    return { found, pid: child.pid ?? 0, stop: () => stop(child) };
  }
  throw new Error(`${script} ended before it was ready`);
};

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
};
