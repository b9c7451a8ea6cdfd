import { randomBytes } from "node:crypto";
import {
  chmod,
  lchown,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  symlink,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { canTraverse, openForTraversal, type ServerUser, trustedStore } from "./as_root.ts";
import { databaseAbsent } from "./data_folder.ts";
import { EmbeddedPostgresFailed } from "./errors.ts";
import { initdb } from "./initdb.ts";

export interface ClusterOptions {
  readonly dataDir: string;
  readonly binariesDir: string;
  /** The major version of the binaries. */
  readonly major: string;
  readonly user: ServerUser | undefined;
  readonly storeDir: string;
  /** Whether to refuse a data folder without a database instead of creating one. */
  readonly mustExist: boolean;
  readonly onNotice: (sentence: string) => void;
}

/**
 * Returns the real path of the database in `<dataDir>/postgres`, creating it if necessary.
 *
 * Invariant: the name `postgres` stands for nothing or for a complete database. A new one is
 * created under a draft name, synced, and renamed. Only the holder of the owner lock calls this, so
 * any draft was left by a dead process and can be removed.
 *
 * @throws EmbeddedPostgresFailed if the database must exist and does not, or cannot be used
 */
export const ensureCluster = async (options: ClusterOptions): Promise<string> => {
  const { dataDir, mustExist, onNotice, user } = options;
  const place = join(dataDir, "postgres");
  await removeDrafts(dataDir);
  // An empty folder holds no data to lose, but a link cannot be renamed over it.
  await rmdir(place).catch(() => undefined);
  if ((await lstat(place).catch(() => undefined)) === undefined) {
    if (mustExist) throw databaseAbsent(dataDir);
    onNotice(`Creating a new database in ${place}. This happens once and takes a second or two.`);
    await createCluster(place, options);
  }
  const clusterDir = await checkCluster(place, options);
  if ((await lstat(place)).isSymbolicLink()) {
    // At each start, because anyone who backs up or deletes the data folder must know.
    const why =
      user === undefined
        ? ""
        : `, because the service was started as root and Postgres runs as ${user.name}, who could not reach ${dataDir}`;
    onNotice(`The database is in ${clusterDir}; ${place} is a link to it${why}.`);
  }
  return clusterDir;
};

const checkCluster = async (
  place: string,
  { major, user }: Pick<ClusterOptions, "major" | "user">,
): Promise<string> => {
  const clusterDir = await realpath(place).catch((cause: unknown) => {
    throw new EmbeddedPostgresFailed(
      `${place} is a link to a folder that does not exist. ` +
        "Restore that folder, or remove the link to start with a new database.",
      { cause },
    );
  });
  const version = await readFile(join(clusterDir, "PG_VERSION"), "utf8").catch(() => undefined);
  if (version === undefined) {
    throw new EmbeddedPostgresFailed(
      `${place} is not empty, and is not a Postgres database that this process can read. ` +
        "Move it elsewhere, or set DATA_DIR to another folder.",
    );
  }
  if (version.trim() !== major) {
    throw new EmbeddedPostgresFailed(
      `The database in ${place} was created by Postgres ${version.trim()}, but this is Postgres ${major}. ` +
        "Migrate the data with pg_dump or pg_upgrade, or set DATA_DIR to another folder.",
    );
  }
  if (user !== undefined && !(await canTraverse(clusterDir, user))) {
    throw new EmbeddedPostgresFailed(
      `The service was started as root, so Postgres runs as ${user.name}, who cannot enter ${clusterDir}. ` +
        `Make ${user.name} its owner (chown -R) and let others traverse the folders above it (chmod o+x), ` +
        "or set DATA_DIR to another folder.",
    );
  }
  return clusterDir;
};

const DRAFT_PREFIX = "postgres.draft-";
const STORED_PREFIX = "data-";
const RANDOM = /^[0-9a-f]{32}$/;

/** The files in a data folder beside the database. */
const OUR_FILES = ["owner.lock", "owner.pid", "postgres.log", "postgres.log.1"];

/**
 * Creates a new database and publishes it as `place`, complete and on disk, in one rename. If
 * root's unprivileged server could not reach it there, it is in root's store and `place` is a link.
 */
const createCluster = async (
  place: string,
  { dataDir, binariesDir, user, storeDir }: ClusterOptions,
): Promise<void> => {
  const random = randomBytes(16).toString("hex");
  const draft = join(dataDir, DRAFT_PREFIX + random);
  let clusterDir = draft;
  if (user !== undefined && !(await openForTraversal(dataDir, user, OUR_FILES))) {
    const store = await trustedStore(user, { storeDir, lasting: true, unreachable: dataDir });
    clusterDir = join(store, STORED_PREFIX + random);
    // The link is created first, so that removing the draft also finds the folder behind it.
    await symlink(clusterDir, draft);
  }
  await mkdir(clusterDir, { mode: 0o700 });
  await chmod(clusterDir, 0o700);
  if (user !== undefined) await lchown(clusterDir, user.uid, user.gid);
  await initdb({ binariesDir, clusterDir, user });
  await syncFolder(dirname(clusterDir));
  await rename(draft, place);
  await syncFolder(dataDir);
};

/** Removes what interrupted first starts left, including the folder that a draft points to. */
const removeDrafts = async (dataDir: string): Promise<void> => {
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith(DRAFT_PREFIX)) continue;
    const draft = join(dataDir, name);
    const target = await readlink(draft).catch(() => undefined);
    const random = name.slice(DRAFT_PREFIX.length);
    // Only a target with the same random number in its name is ours to remove. Nobody can guess
    // one, so the owner of the data folder cannot make root remove another database.
    const isOurs = RANDOM.test(random) && basename(target ?? "") === STORED_PREFIX + random;
    if (target !== undefined && isOurs) {
      await discard(target);
      await discard(`${target}.password`);
    }
    await discard(draft);
  }
};

/** If an initdb that outlived its owner is still writing, the next start removes the rest. */
const discard = (path: string): Promise<void> =>
  rm(path, { recursive: true, force: true }).catch(() => undefined);

const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
};
