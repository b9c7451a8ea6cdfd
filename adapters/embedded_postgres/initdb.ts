import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { EmbeddedPostgresFailed } from "./errors.ts";
import { databaseUser, writePasswordFile, writePrivateFile } from "./password_file.ts";
import { cannotRun, programOptions, stopWithProcess } from "./program.ts";
import type { ServerUser } from "./server_user.ts";

/**
 * Fills the empty folder `clusterDir` with a new database cluster and its password file.
 *
 * initdb also syncs it all to disk. That is a quarter of a second of the first start, and skipping
 * it is not safe: the rename that publishes the folder could reach the disk before the files do,
 * and a power cut would leave a database that looks whole and is not.
 *
 * @throws EmbeddedPostgresFailed with what initdb printed
 */
export async function initdb({
  nativeDir,
  clusterDir,
  user,
}: {
  nativeDir: string;
  clusterDir: string;
  user: ServerUser | undefined;
}): Promise<void> {
  const password = randomBytes(24).toString("hex");
  // Beside the cluster, not inside: initdb wants an empty folder.
  const passwordPath = `${clusterDir}.password`;
  await writePrivateFile(passwordPath, password, user);
  try {
    await run(join(nativeDir, "bin/initdb"), user, [
      `--pgdata=${clusterDir}`,
      `--username=${databaseUser}`,
      `--pwfile=${passwordPath}`,
      "--auth=scram-sha-256",
      "--no-instructions",
      // Whoever needs the next segment of a young cluster fills it with zeros and syncs it, and every commit
      // waits: the smaller it is, the shorter. The default is 16 MB.
      "--wal-segsize=1",
      // Text sorts by code point, which for UTF-8 is byte order: the contract's order of user ids,
      // the cheapest comparison, and indexes that no operating system upgrade can invalidate.
      "--encoding=UTF8",
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
    ]);
  } finally {
    await rm(passwordPath, { force: true });
  }
  await writePasswordFile(clusterDir, password, user);
}

async function run(program: string, user: ServerUser | undefined, flags: string[]): Promise<void> {
  const child = spawn(program, flags, {
    ...programOptions(user),
    // A session of its own: Ctrl-C in a terminal signals the whole group of the service, which stops once the
    // database is made; an initdb that is broken off would look like a failure.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  stopWithProcess(child);
  const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const [out, err, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    ended,
  ]).catch((cause: unknown) => {
    throw cannotRun(program, cause);
  });
  if (code === 0) return;
  const reason = `initdb could not make the database (${signal ?? code}).`;
  throw new EmbeddedPostgresFailed(reason, { logTail: err || out });
}
