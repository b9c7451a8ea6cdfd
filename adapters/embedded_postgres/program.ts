import type { ChildProcess } from "node:child_process";

import { EmbeddedPostgresFailed } from "./errors.ts";
import type { ServerUser } from "./server_user.ts";

/**
 * Spawn options shared by all Postgres programs: as `user` when we are root, in a folder that
 * everybody can enter, and in an environment of our own making: a PGDATA or PGPORT of the
 * operator's shell, or a locale, must not change what the server does.
 */
export function programOptions(user: ServerUser | undefined): {
  cwd: string;
  env: Record<string, string>;
  uid?: number;
  gid?: number;
} {
  return {
    cwd: "/",
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    ...(user && { uid: user.uid, gid: user.gid }),
  };
}

/**
 * When this process ends without having waited for a program that it started (process.exit, an uncaught exception),
 * the program is at least asked to end. The `exit` event fires at the very end, so this does
 * not cut off any draining, as a hook on SIGTERM would.
 */
export function stopWithProcess(child: ChildProcess): void {
  const ask = (): void => void child.kill("SIGINT");
  process.once("exit", ask);
  child.once("exit", () => process.off("exit", ask));
}

/** Why a program could not even be started. */
export function cannotRun(program: string, cause: unknown): EmbeddedPostgresFailed {
  return new EmbeddedPostgresFailed(
    `Cannot run ${program}: ${String(cause)}. ` +
      "The programs need a system with glibc (not Alpine's musl). Set DATABASE_URL to use another Postgres.",
    { cause },
  );
}
