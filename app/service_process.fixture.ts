import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { until } from "../scripts/test/patience.ts";
import { VARIABLES } from "./configuration.ts";

type Environment = Readonly<Record<string, string>>;

/** The service as a process, as `npm start` starts it. */
export interface ServiceProcess {
  readonly pid: number;
  /** Everything that it printed so far, on stdout and stderr. */
  readonly output: () => string;
  /** Where it listens; returns once it says so, and fails if it ends before. */
  readonly url: () => Promise<string>;
  /** Returns once it has printed a match, and fails if it ends before. */
  readonly prints: (pattern: RegExp) => Promise<void>;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Sends SIGINT to its process group, as Ctrl-C in a terminal does. It must lead one. */
  readonly pressCtrlC: () => void;
  /** How it ended: an exit code, or a signal. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Sends SIGTERM, and returns how it ended. */
  readonly stop: () => Promise<number | NodeJS.Signals>;
}

const alive = new Set<ChildProcess>();

/** Kills what a failed test left running. */
export const killServices = async (): Promise<void> => {
  await Promise.all(
    Array.from(alive, async (child) => {
      child.kill("SIGKILL");
      await once(child, "close");
    }),
  );
};

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

/**
 * Starts the service with only these variables set, and a free port by default.
 *
 * @param options.leadsGroup whether it leads a process group, like a command in a terminal
 */
export const startService = (
  environment: Environment,
  args: ReadonlyArray<string> = [],
  { leadsGroup = false } = {},
): ServiceProcess => {
  const inherited = Object.entries(process.env).filter(([name]) => !VARIABLES.includes(name));
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...Object.fromEntries(inherited), PORT: "0", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: leadsGroup,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  // Waits for its pipes to close, so that no output is missed.
  const ended = once(child, "close").then(
    ([code, signal]) => (code ?? signal) as number | NodeJS.Signals,
  );
  let running = true;
  alive.add(child);
  child.once("close", () => {
    running = false;
    alive.delete(child);
  });

  const prints = (pattern: RegExp): Promise<void> =>
    until(async () => {
      if (pattern.test(output)) return true;
      if (!running) throw new Error(`it ended without printing ${pattern}, but:\n${output}`);
      return false;
    }, `it did not print ${pattern}`);

  return {
    pid: child.pid ?? 0,
    output: () => output,
    prints,
    url: async () => {
      await prints(LISTENS);
      return LISTENS.exec(output)?.[1] ?? "";
    },
    kill: (signal) => void child.kill(signal),
    pressCtrlC: () => {
      if (leadsGroup && child.pid !== undefined) process.kill(-child.pid, "SIGINT");
    },
    ended,
    stop: () => {
      child.kill("SIGTERM");
      return ended;
    },
  };
};

const LISTENS = /Tidemark listens on (http:\/\/[^ "]+:\d+)/;
