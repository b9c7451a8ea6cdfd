import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command of the project, as npm would. */
export const command = (
  path: string,
  env: Readonly<Record<string, string>>,
  ...args: ReadonlyArray<string>
): Promise<CommandResult> =>
  new Promise((resolve) => {
    const main = fileURLToPath(new URL(`../${path}`, import.meta.url));
    const options = { env: { ...process.env, ...env } };
    const child = execFile(process.execPath, [main, ...args], options, (_, out, err) => {
      resolve({ code: child.exitCode ?? -1, out, err });
    });
  });
