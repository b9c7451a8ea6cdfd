import { execFile } from "node:child_process";

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program of this repository to its end. */
export const runProgram = (
  { pathname }: URL,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> =>
  new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, timeout: 60_000 };
    const child = execFile(process.execPath, [pathname, ...args], options, (_, out, err) => {
      resolve({ code: child.exitCode ?? -1, out, err });
    });
  });
