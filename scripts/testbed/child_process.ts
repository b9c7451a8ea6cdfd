import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** How a process ended: its exit code or the signal that killed it. */
export type Ending = number | NodeJS.Signals;

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null;

const children = new Set<ChildProcess>();

process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

/** Makes sure that a child does not outlive this process, however this one ends. */
export const killWithParent = (child: ChildProcess): void => {
  children.add(child);
  child.once("exit", () => children.delete(child));
};

/** Sends a signal to a child and returns when it has ended; kills it if that takes longer than `withinMs`. */
export const endChild = async (
  child: ChildProcess,
  signal: NodeJS.Signals,
  withinMs?: number,
): Promise<void> => {
  if (hasEnded(child)) return;
  const exited = once(child, "exit");
  child.kill(signal);
  const timer =
    withinMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), withinMs);
  await exited;
  clearTimeout(timer);
};
