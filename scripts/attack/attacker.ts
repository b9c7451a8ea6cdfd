import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { endChild, killWithParent } from "../testbed/child_process.ts";
import type { Target } from "./attack.ts";
import { emptyTally, type Tally } from "./wire.ts";

/** A running attack in its own process. */
export interface Attacker {
  /** Settles when the process has ended. */
  readonly ended: Promise<unknown>;
  /** Ends the attack, and returns what it did. */
  readonly stop: () => Promise<Tally>;
}

const SCRIPT = fileURLToPath(new URL("attack_process.ts", import.meta.url));

/** How long an attacker may take to end before it is killed. */
const LEAVE_WITHIN_MS = 15_000;

/** Starts an attack, and returns when it begins. Without `stop` it ends by itself after `secondsMax`. */
export const startAttacker = async (
  name: string,
  target: Target,
  secondsMax: number,
): Promise<Attacker> => {
  const child = spawn(process.execPath, [SCRIPT, name, String(secondsMax)], {
    env: { ...process.env, ATTACK_TARGET: JSON.stringify(target) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  killWithParent(child);
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
  if (lines.length === 0) throw new Error(`The attack ${name} ended before it began`);
  return {
    ended,
    stop: async () => {
      await endChild(child, "SIGTERM", LEAVE_WITHIN_MS);
      await closed;
      return lines[1] === undefined ? emptyTally() : (JSON.parse(lines[1]) as Tally);
    },
  };
};
