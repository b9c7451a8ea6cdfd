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
