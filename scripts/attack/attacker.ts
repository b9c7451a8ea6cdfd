import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import type { Target } from "./attack.ts";
import { emptyTally, type Tally } from "./tally.ts";

/** An attack that is under way in a process of its own. */
export interface Attacker {
  /** Settles when it has left, by itself or not. */
  readonly ended: Promise<unknown>;
  /** Makes it leave, and returns what it did. */
  readonly stop: () => Promise<Tally>;
}

const SCRIPT = fileURLToPath(new URL("attack_process.ts", import.meta.url));

/** How long an attacker may take to leave before it is killed. */
const LEAVE_WITHIN_MS = 15_000;

/** Starts an attack, and returns when it begins. Without a `stop` it ends by itself after `secondsMax`. */
export const startAttacker = async (
  name: string,
  target: Target,
  secondsMax: number,
): Promise<Attacker> => {
  const child = spawn(process.execPath, [SCRIPT, name, String(secondsMax)], {
    env: { ...process.env, ATTACK_TARGET: JSON.stringify(target) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  // Whatever ends this process, its children must not go on without it.
  const killNow = (): void => void child.kill("SIGKILL");
  process.on("exit", killNow);
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout });
  const ready = new Promise<void>((resolve) => {
    output.on("line", (line) => {
      lines.push(line);
      resolve();
    });
    output.once("close", resolve);
  });
  const ended = once(child, "exit");
  const closed = once(output, "close");
  await ready;
  if (lines.length === 0) throw new Error(`the attack ${name} ended before it began`);
  return {
    ended,
    stop: async () => {
      const kill = setTimeout(killNow, LEAVE_WITHIN_MS);
      if (isRunning(child)) child.kill("SIGTERM");
      await ended;
      await closed;
      clearTimeout(kill);
      process.off("exit", killNow);
      return lines[1] === undefined ? emptyTally() : (JSON.parse(lines[1]) as Tally);
    },
  };
};

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode === null && signalCode === null;
