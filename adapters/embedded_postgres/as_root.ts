/**
 * What only a service started as root needs. Postgres refuses to run as root, so an unprivileged
 * user runs it, and that user may be unable to reach the data folder or the binaries.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { type Binaries, linkLibraries } from "./binaries.ts";
import { EmbeddedPostgresFailed } from "./errors.ts";

/** The unprivileged user that runs the server. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Chooses the user that runs the server: `undefined`, the current user, unless we are root. Root
 * picks the first of the owner of the existing database (Postgres insists on owning its files), the
 * owner of the data folder, the user `postgres`, and the user `nobody`. It never creates one.
 *
 * @throws EmbeddedPostgresFailed if the database belongs to a user that this process cannot act for
 */
export const chooseServerUser = async (dataDir: string): Promise<ServerUser | undefined> => {
  const self = process.getuid?.();
  const clusterDir = join(dataDir, "postgres");
  const cluster = await stat(clusterDir).catch(() => undefined);
  if (self !== 0) {
    if (cluster === undefined || self === undefined || cluster.uid === self) return undefined;
    throw new EmbeddedPostgresFailed(
      `The database in ${clusterDir} belongs to uid ${cluster.uid}, but this process runs as uid ${self}. ` +
        "Start it as that user or as root, or set DATA_DIR to another folder.",
    );
  }
  const users = await readUsers();
  if (cluster !== undefined && cluster.uid !== 0) {
    const { uid, gid } = cluster;
    return users.find((user) => user.uid === uid) ?? { name: `uid ${uid}`, uid, gid };
  }
  // An owner without an entry in /etc/passwd is skipped: initdb refuses to run as one.
  const folder = await stat(dataDir).catch(() => undefined);
  const user =
    users.find(({ uid }) => uid !== 0 && uid === folder?.uid) ??
    users.find(({ name }) => name === "postgres") ??
    users.find(({ name }) => name === "nobody");
  if (user !== undefined) return user;
  throw new EmbeddedPostgresFailed(
    "Postgres refuses to run as root, and this system has no user postgres or nobody to run it as. " +
      "Start the service as an ordinary user, or set DATABASE_URL.",
  );
};

/** All entries of /etc/passwd; none if there is no such file. */
export const readUsers = async (): Promise<ReadonlyArray<ServerUser>> => {
  const text = await readFile("/etc/passwd", "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    const [name, , uid, gid] = line.split(":");
    if (name === undefined || uid === undefined || gid === undefined) return [];
    return [{ name, uid: Number(uid), gid: Number(gid) }];
  });
};

const READ_AND_ENTER = 0o5;
const ENTER = 0o1;

/**
 * Whether `user` can get to `path` and read and enter (or execute) it, judged as the kernel does by
 * the modes of the path and of every folder above it. Supplementary groups do not count, because a
 * child process started with a uid has none. The path must exist.
 */
export const canReach = (path: string, user: ServerUser): Promise<boolean> =>
  isPermitted(path, user, READ_AND_ENTER);

/** Like `canReach`, for a folder whose entries are known by name and need not be listed. */
export const canTraverse = (folder: string, user: ServerUser): Promise<boolean> =>
  isPermitted(folder, user, ENTER);

const isPermitted = async (path: string, user: ServerUser, onPath: number): Promise<boolean> => {
  let needed = onPath;
  for (let here = await realpath(path); ; here = dirname(here)) {
    const { mode, uid, gid } = await stat(here);
    // One class of mode bits applies: owner before group before others. They do not add up.
    const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
    if (((mode >> shift) & needed) !== needed) return false;
    if (here === dirname(here)) return true;
    needed = ENTER;
  }
};

/**
 * Whether `user` can traverse the data folder, once it has been opened for that if necessary. It is
 * opened only if it belongs to root and contains nothing but `ourFiles`, so that we or mktemp made
 * it. Everything in it keeps its private mode.
 */
export const openForTraversal = async (
  dataDir: string,
  user: ServerUser,
  ourFiles: ReadonlyArray<string>,
): Promise<boolean> => {
  if (await canTraverse(dataDir, user)) return true;
  const { mode, uid } = await stat(dataDir);
  const isOurs = uid === 0 && (await readdir(dataDir)).every((name) => ourFiles.includes(name));
  if (!isOurs || !(await canTraverse(dirname(await realpath(dataDir)), user))) return false;
  await chmod(dataDir, (mode & 0o7777) | ENTER);
  return canTraverse(dataDir, user);
};

/** Where a service started as root keeps what its unprivileged server must reach. */
export const DEFAULT_STORE_DIR = "/var/lib/tidemark";

const WRITABLE_BY_OTHERS = 0o022;
/** Others can traverse the store but not list it: the random names in it stay unknown. */
const STORE_MODE = 0o711;
const STICKY = 0o1000;

export interface StoreOptions {
  readonly storeDir: string;
  /** True for data, for which a temporary folder that a reboot empties will not do. */
  readonly lasting: boolean;
  /** What the user cannot reach in its own place, for the error message. */
  readonly unreachable: string;
}

/**
 * Returns the store, a folder that belongs to root, that only root can write to, and that `user`
 * can traverse. Creates it if necessary.
 *
 * @throws EmbeddedPostgresFailed if there is no such place
 */
export const trustedStore = async (
  user: ServerUser,
  { storeDir, lasting, unreachable }: StoreOptions,
): Promise<string> => {
  const candidates = lasting ? [storeDir] : [storeDir, join(tmpdir(), "tidemark-root")];
  const refusals: string[] = [];
  for (const candidate of candidates) {
    const refusal = await prepareStore(candidate, user).catch(String);
    if (refusal === undefined) return realpath(candidate);
    refusals.push(`${candidate}: ${refusal}`);
  }
  throw new EmbeddedPostgresFailed(
    `The service was started as root, so Postgres runs as ${user.name}, who cannot reach ${unreachable}. ` +
      `No other folder is suitable (${refusals.join("; ")}). ` +
      `Set DATA_DIR to a folder that ${user.name} can reach, start the service as an ordinary user, or set DATABASE_URL.`,
  );
};

/** Why the folder is not suitable as a store, or `undefined` if it is. */
const prepareStore = async (folder: string, user: ServerUser): Promise<string | undefined> => {
  try {
    await mkdir(folder);
    // The umask narrows the mode that mkdir is given.
    await chmod(folder, STORE_MODE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  // Anyone may have put a folder or a link of this name into /tmp before us: check what it is.
  const found = await lstat(folder);
  if (!found.isDirectory()) return "it is not a folder";
  if ((found.mode & WRITABLE_BY_OTHERS) !== 0) return "others can write to it";
  for (let here = await realpath(folder); ; here = dirname(here)) {
    const { uid, mode } = await lstat(here);
    if (uid !== 0) return `${here} does not belong to root`;
    // In a sticky folder such as /tmp others can write, but cannot replace what belongs to root.
    const isReplaceable = (mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0;
    if (isReplaceable) return `others can write to ${here}`;
    if (here === dirname(here)) break;
  }
  return (await canTraverse(folder, user)) ? undefined : `${user.name} cannot reach it`;
};

/**
 * The folder of binaries for `user` to run: npm's own if the user can reach it, else a copy in the
 * store, made once for each version. A checkout inside a home folder with mode 0700 needs the copy.
 *
 * @throws EmbeddedPostgresFailed if there is no place for the copy
 */
export const reachableBinaries = async (
  { dir, version }: Binaries,
  user: ServerUser,
  { storeDir, onNotice }: { storeDir: string; onNotice: (sentence: string) => void },
): Promise<string> => {
  const probes = ["bin/postgres", "lib", "share/postgresql"];
  const reached = await Promise.all(probes.map((path) => canReach(join(dir, path), user)));
  if (reached.every(Boolean)) return dir;

  const store = await trustedStore(user, { storeDir, lasting: false, unreachable: dir });
  const copy = join(store, `postgres-${version}-${process.platform}-${process.arch}`);
  const exists = (): Promise<boolean> =>
    stat(copy).then(
      () => true,
      () => false,
    );
  if (await exists()) return copy;
  onNotice(`Copying the Postgres binaries to ${copy}, because ${user.name} cannot reach ${dir}.`);
  const draft = `${copy}.draft-${randomBytes(8).toString("hex")}`;
  try {
    await copyTree(dir, draft);
    await linkLibraries(draft);
    // Whoever finds the name may run the binaries, so it must never name half a copy.
    await rename(draft, copy);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another service that started at the same time may have made the copy.
    if (!(await exists())) throw error;
  }
  return copy;
};

/** Copies folders and files but not links, and makes them readable by all whatever the umask. */
const copyTree = async (from: string, to: string): Promise<void> => {
  await mkdir(to);
  await chmod(to, 0o755);
  const entries = await readdir(from, { withFileTypes: true });
  // Concurrently, the disk syncs many files in one go: three times as fast as one by one.
  await Promise.all(
    entries.map(async (entry) => {
      const [source, target] = [join(from, entry.name), join(to, entry.name)];
      if (entry.isDirectory()) await copyTree(source, target);
      else if (entry.isFile()) await copyOne(source, target);
    }),
  );
};

const copyOne = async (source: string, target: string): Promise<void> => {
  await copyFile(source, target, constants.COPYFILE_EXCL);
  const { mode } = await stat(source);
  await chmod(target, (mode & 0o100) === 0 ? 0o644 : 0o755);
  // Synced before the rename, or a power cut could leave a complete copy of empty files.
  const file = await open(target, "r");
  await file.sync();
  await file.close();
};
