import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

/** How a program ended. */
export interface Outcome {
  /** -1 if a signal ended it, such as the one after `timeoutMs`. */
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Options {
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/**
 * Runs a program to its end.
 *
 * @throws if it cannot be started
 */
export const runProgram = (
  program: string,
  args: ReadonlyArray<string>,
  { env, cwd, timeoutMs = 0 }: Options = {},
): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const options = {
      cwd,
      env: { ...process.env, ...env },
      timeout: timeoutMs,
      maxBuffer: Number.POSITIVE_INFINITY,
    };
    const child = execFile(program, args, options, (error, out, err) => {
      if (error !== null && child.pid === undefined) reject(error);
      else resolve({ code: child.exitCode ?? -1, out, err });
    });
  });

/** Runs a module of this repository with Node. */
export const runModule = (
  module: URL,
  args: ReadonlyArray<string>,
  env?: Readonly<Record<string, string>>,
): Promise<Outcome> =>
  runProgram(process.execPath, [fileURLToPath(module), ...args], env === undefined ? {} : { env });
