import {
  chmod,
  lchown,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  stat,
  symlink,
} from "node:fs/promises";
import { dirname } from "node:path";

import { draftPath, draftRandom, storedClusterPath } from "./drafts.ts";
import { initdb } from "./initdb.ts";
import { canPassThrough } from "./reach.ts";
import type { ServerUser } from "./server_user.ts";
import { trustedStore } from "./store.ts";

const OUR_FILES = new Set(["owner.lock", "owner.pid", "postgres.log", "postgres.log.1"]);

export interface ClusterOptions {
  readonly dataDir: string;
  readonly nativeDir: string;
  readonly user: ServerUser | undefined;
  readonly storeDir: string;
  readonly notice: (sentence: string) => void;
}

/**
 * Makes a new database folder and publishes it as `place`, whole and on disk, in one rename.
 * When root's unprivileged server could not reach it there, it lies in root's store and `place` is a link.
 */
export async function createCluster(place: string, options: ClusterOptions): Promise<void> {
  const { dataDir, nativeDir, user, storeDir } = options;
  const random = draftRandom();
  const draft = draftPath(dataDir, random);
  let clusterDir = draft;
  if (user !== undefined && !(await openForPassing(dataDir, user))) {
    const store = await trustedStore(user, { storeDir, lasting: true });
    clusterDir = storedClusterPath(store, random);
    // The link comes first, as a draft, so that whoever removes the draft finds what is behind it.
    await symlink(clusterDir, draft);
  }
  await mkdir(clusterDir, { mode: 0o700 });
  await chmod(clusterDir, 0o700);
  if (user !== undefined) await lchown(clusterDir, user.uid, user.gid);
  await initdb({ nativeDir, clusterDir, user });
  await syncFolder(dirname(clusterDir));
  await rename(draft, place);
  await syncFolder(dataDir);
}

/**
 * Whether `user` can get through the data folder, if need be after it was opened for passing. That is
 * done only to a folder that is root's and holds nothing but our own: made by us under a
 * strict umask, or by mktemp. Everything in it keeps its own, private mode.
 */
async function openForPassing(dataDir: string, user: ServerUser): Promise<boolean> {
  if (await canPassThrough(dataDir, user)) return true;
  const { mode, uid } = await stat(dataDir);
  const names = await readdir(dataDir);
  const ours = uid === 0 && names.every((name) => OUR_FILES.has(name));
  if (!ours || !(await canPassThrough(dirname(await realpath(dataDir)), user))) return false;
  await chmod(dataDir, (mode & 0o7777) | 0o001);
  return canPassThrough(dataDir, user);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
