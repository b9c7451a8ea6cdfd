import { randomBytes } from "node:crypto";
import { chown, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";

import type { ServerUser } from "./as_root.ts";
import { runBinary } from "./binaries.ts";
import { EmbeddedPostgresFailed } from "./errors.ts";

/** The superuser of the embedded server. */
export const DATABASE_USER = "tidemark";

export interface InitdbOptions {
  readonly binariesDir: string;
  /** An empty folder. */
  readonly clusterDir: string;
  readonly user: ServerUser | undefined;
}

/**
 * Creates a new database cluster and its password file in `clusterDir`.
 *
 * initdb also syncs everything to disk, which takes a quarter of a second of the first start.
 * Skipping that is not safe: the rename that publishes the folder could reach the disk before the
 * files do, and a power cut would leave a database that looks complete and is not.
 *
 * @throws EmbeddedPostgresFailed with the output of initdb
 */
export const initdb = async ({ binariesDir, clusterDir, user }: InitdbOptions): Promise<void> => {
  const password = randomBytes(24).toString("hex");
  // Beside the cluster, because initdb wants an empty folder.
  const passwordPath = `${clusterDir}.password`;
  await writePrivateFile(passwordPath, password, user);
  try {
    await run(join(binariesDir, "bin/initdb"), user, [
      `--pgdata=${clusterDir}`,
      `--username=${DATABASE_USER}`,
      `--pwfile=${passwordPath}`,
      "--auth=scram-sha-256",
      "--no-instructions",
      // In a young cluster, each new segment is filled with zeros and synced while every commit
      // waits: the smaller, the shorter. The default is 16 MB.
      "--wal-segsize=1",
      // Text sorts by code point, which in UTF-8 is byte order: the order of user ids that the API
      // promises, the cheapest comparison, and indexes that survive upgrades of the system.
      "--encoding=UTF8",
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
    ]);
  } finally {
    await rm(passwordPath, { force: true });
  }
  // In the format of libpq, with any port, so that a person can use it, too:
  // PGPASSFILE=.data/postgres/pgpass psql -h 127.0.0.1 -p <port> -U tidemark
  const line = `127.0.0.1:*:*:${DATABASE_USER}:${password}\n`;
  await writePrivateFile(passwordFileIn(clusterDir), line, user);
};

/** Inside the cluster, so that one rename publishes both and they can never disagree. */
const passwordFileIn = (clusterDir: string): string => join(clusterDir, "pgpass");

/** Reads the password that `initdb` stored. */
export const readPassword = async (clusterDir: string): Promise<string> => {
  const path = passwordFileIn(clusterDir);
  try {
    const password = (await readFile(path, "utf8")).trim().split(":").at(-1);
    if (password) return password;
    throw new Error("the file is empty");
  } catch (cause) {
    throw new EmbeddedPostgresFailed(
      `Cannot read the database password from ${path}: ${String(cause)}. ` +
        "Restore the file, or set DATA_DIR to another folder.",
      { cause },
    );
  }
};

/** Writes and syncs a new file with mode 0600, which belongs to `user` if given. */
const writePrivateFile = async (
  path: string,
  content: string,
  user: ServerUser | undefined,
): Promise<void> => {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  if (user !== undefined) await chown(path, user.uid, user.gid);
};

const run = async (
  program: string,
  user: ServerUser | undefined,
  flags: ReadonlyArray<string>,
): Promise<void> => {
  const stdio = ["ignore", "pipe", "pipe"] as const;
  const { child, exited } = await runBinary(program, flags, { user, stdio: [...stdio] });
  const [out, err, { code, signal }] = await Promise.all([
    text(child.stdout as Readable),
    text(child.stderr as Readable),
    exited,
  ]);
  if (code === 0) return;
  throw new EmbeddedPostgresFailed(`initdb could not create the database (${signal ?? code}).`, {
    logTail: err || out,
  });
};
