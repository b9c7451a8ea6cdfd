import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { EmbeddedPostgresFailed } from "./errors.ts";

/** The unprivileged user that a service started as root lends to Postgres. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Whom the server runs as: `undefined` for "as ourselves", which is the case for everyone but root.
 * Postgres refuses to run as root, so root picks, in this order: the owner of the database that is
 * already there (Postgres insists on owning its files), the owner of the data folder, the user
 * `postgres`, the user `nobody`. No user is ever created.
 *
 * @throws EmbeddedPostgresFailed when the database belongs to somebody whom we cannot act for
 */
export async function chooseServerUser(dataDir: string): Promise<ServerUser | undefined> {
  const self = process.getuid?.();
  const clusterDir = join(dataDir, "postgres");
  const cluster = await ownerOf(clusterDir);
  if (self !== 0) {
    if (cluster === undefined || self === undefined || cluster.uid === self) return undefined;
    throw new EmbeddedPostgresFailed(
      `The database in ${clusterDir} belongs to uid ${cluster.uid}, and this process runs as uid ${self}. ` +
        "Start as that user or as root, or set DATA_DIR to another folder.",
    );
  }
  const users = await readUsers();
  if (cluster !== undefined && cluster.uid !== 0) {
    const known = users.find(({ uid }) => uid === cluster.uid);
    return known ?? { ...cluster, name: `uid ${cluster.uid}` };
  }
  // An owner without a passwd entry is passed over: initdb refuses to run as one.
  const folder = await ownerOf(dataDir);
  const owner = folder && users.find(({ uid }) => uid !== 0 && uid === folder.uid);
  const user =
    owner ??
    users.find(({ name }) => name === "postgres") ??
    users.find(({ name }) => name === "nobody");
  if (user !== undefined) return user;
  throw new EmbeddedPostgresFailed(
    "Postgres refuses to run as root, and there is no user postgres or nobody to run it as. " +
      "Start as an ordinary user, or set DATABASE_URL.",
  );
}

async function ownerOf(path: string): Promise<{ uid: number; gid: number } | undefined> {
  return stat(path).then(
    ({ uid, gid }) => ({ uid, gid }),
    () => undefined,
  );
}

/** All entries of /etc/passwd; none where there is no such file. */
export async function readUsers(): Promise<ServerUser[]> {
  const text = await readFile("/etc/passwd", "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    const [name, , uid, gid] = line.split(":");
    if (name === undefined || uid === undefined || gid === undefined) return [];
    return [{ name, uid: Number(uid), gid: Number(gid) }];
  });
}
