import { constants } from "node:fs";
import { access, lchown, lstat, mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { readUsers } from "./as_root.ts";
import { EmbeddedPostgresFailed } from "./errors.ts";

const ADVICE = "Set DATA_DIR to a folder that this user can write to.";

/**
 * Creates the data folder and any missing folders above it, and checks that it can be used.
 *
 * What root creates inside another user's folder belongs to that user, as if they had created it:
 * after one `sudo npm start` in their checkout, they can still run the service themselves.
 *
 * @param dataDir an absolute path
 * @throws EmbeddedPostgresFailed with a sentence that says what is in the way
 */
export const makeDataFolder = async (dataDir: string): Promise<void> => {
  // One by one: below /proc, where nothing can be created, mkdir's own recursion never ends.
  const missing: string[] = [];
  let above = dataDir;
  while (!(await exists(above))) {
    missing.unshift(above);
    above = dirname(above);
  }
  const { uid, gid } = await stat(above);
  const isTheirs =
    process.getuid?.() === 0 &&
    uid !== 0 &&
    missing.length > 0 &&
    (await readUsers()).some((user) => user.uid === uid);
  for (const folder of missing) {
    await mkdir(folder).catch((error: unknown) => {
      // Another process that started at the same time created it.
      if (codeOf(error) !== "EEXIST") throw cannotCreate(folder, error);
    });
    if (isTheirs) await lchown(folder, uid, gid);
  }
  await checkUsable(dataDir);
};

const exists = async (path: string): Promise<boolean> => {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw cannotCreate(path, error);
  }
};

const cannotCreate = (path: string, cause: unknown): EmbeddedPostgresFailed =>
  new EmbeddedPostgresFailed(
    `Cannot create the data folder ${path}: ${reasonOf(path, cause)}. ${ADVICE}`,
    { cause },
  );

const reasonOf = (path: string, error: unknown): string => {
  const parent = dirname(path);
  switch (codeOf(error)) {
    case "EACCES":
    case "EPERM":
      return `this user (uid ${process.getuid?.() ?? "?"}) may not write to ${parent}`;
    case "ENOTDIR":
      return `a part of ${parent} is not a folder`;
    case "ENOENT":
      return `the file system of ${parent} does not allow new folders`;
    case "EROFS":
      return `${parent} is on a read-only file system`;
    case "ENOSPC":
    case "EDQUOT":
      return "the disk is full";
    case undefined:
    default:
      return error instanceof Error ? error.message : String(error);
  }
};

/** Checked before use, because a later failure would say less about the cause. */
const checkUsable = async (dataDir: string): Promise<void> => {
  const folder = await stat(dataDir).catch(() => {
    throw new EmbeddedPostgresFailed(`The data folder ${dataDir} is a broken link. ${ADVICE}`);
  });
  if (!folder.isDirectory()) {
    throw new EmbeddedPostgresFailed(`The data folder ${dataDir} is not a folder. ${ADVICE}`);
  }
  await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK).catch(() => {
    throw notOurs(dataDir, folder.uid);
  });
};

/** The same sentence for a folder and for a file in it that another user created. */
const notOurs = (path: string, owner: number): EmbeddedPostgresFailed => {
  const [why, how] =
    owner === 0
      ? [
          " It belongs to root, because the service was started with sudo before.",
          "with sudo again",
        ]
      : ["", `as the user with uid ${owner}`];
  return new EmbeddedPostgresFailed(
    `This user (uid ${process.getuid?.() ?? "?"}) cannot use ${path}.${why} ` +
      `Start the service ${how}, give the whole data folder to this user (chown -R), or set DATA_DIR to another folder.`,
  );
};

/** Explains a file system error that is about permissions; undefined for any other error. */
export const explainForbidden = async (
  error: unknown,
): Promise<EmbeddedPostgresFailed | undefined> => {
  const code = codeOf(error);
  if (code !== "EACCES" && code !== "EPERM") return undefined;
  const { path } = error as NodeJS.ErrnoException;
  if (path === undefined) return undefined;
  return stat(path).then(
    ({ uid }) => notOurs(path, uid),
    () => undefined,
  );
};

/** For an operator who meant another data folder, or has not started yet. */
export const databaseAbsent = (dataDir: string): EmbeddedPostgresFailed =>
  new EmbeddedPostgresFailed(
    `There is no database in ${dataDir}. To create one there, run npm start or npm run migrate. ` +
      "To use an existing one, set DATA_DIR to its folder, or set DATABASE_URL.",
  );

/**
 * Checks, without leaving a trace, that a data folder contains a database or that one is being
 * created in it.
 *
 * @throws EmbeddedPostgresFailed if there is none
 */
export const assertDatabase = async (dataDir: string): Promise<void> => {
  // While the owner creates a database, its pid is there.
  for (const name of ["postgres", "owner.pid"]) {
    if (!(await isMissing(join(dataDir, name)))) return;
  }
  throw databaseAbsent(dataDir);
};

/** False after any other error, too: the start that follows reports it. */
const isMissing = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => false,
    (error: unknown) => codeOf(error) === "ENOENT",
  );

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
