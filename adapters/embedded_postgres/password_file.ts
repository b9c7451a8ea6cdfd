import { chown, open, readFile } from "node:fs/promises";
import { join } from "node:path";

import { EmbeddedPostgresFailed } from "./errors.ts";
import type { ServerUser } from "./server_user.ts";

/** Superuser of the embedded server, and the database that the service uses. */
export const databaseUser = "tidemark";
export const databaseName = "tidemark";

/**
 * Stores the password inside the database folder, so that one rename publishes both and they can
 * never disagree. The format is libpq's, with any port, for a person with a client:
 * `PGPASSFILE=.data/postgres/pgpass psql -h 127.0.0.1 -p <port> -U tidemark`.
 */
export async function writePasswordFile(
  clusterDir: string,
  password: string,
  user: ServerUser | undefined,
): Promise<void> {
  const path = join(clusterDir, "pgpass");
  await writePrivateFile(path, `127.0.0.1:*:*:${databaseUser}:${password}\n`, user);
}

/** Reads back what `writePasswordFile` stored. */
export async function readPassword(clusterDir: string): Promise<string> {
  const path = join(clusterDir, "pgpass");
  try {
    const password = (await readFile(path, "utf8")).trim().split(":").at(-1);
    if (password) return password;
    throw new Error("the file is empty");
  } catch (cause) {
    throw new EmbeddedPostgresFailed(
      `Cannot read the database password in ${path}: ${String(cause)}`,
      { cause },
    );
  }
}

/** Writes a new file with mode 0600, on disk when this returns, that belongs to `user` if given. */
export async function writePrivateFile(
  path: string,
  text: string,
  user: ServerUser | undefined,
): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  if (user !== undefined) await chown(path, user.uid, user.gid);
}
