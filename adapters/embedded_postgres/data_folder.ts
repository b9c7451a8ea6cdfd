import { constants } from "node:fs";
import { access, lchown, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

import { EmbeddedPostgresFailed } from "./errors.ts";
import { readUsers } from "./server_user.ts";

const ADVICE = "Set DATA_DIR to a folder that this user can write to.";

/**
 * Makes the data folder and those above it that are missing, unless it is there, and checks that this process can use it.
 *
 * What root makes belongs to the owner of the folder that it is made in, as what they would have made themselves: after
 * one `sudo npm start` in a checkout of theirs, they can still run the service.
 *
 * @param dataDir an absolute path
 * @throws EmbeddedPostgresFailed with a sentence that says what is in the way
 */
export async function makeDataFolder(dataDir: string): Promise<void> {
  // One by one: mkdir's own recursion never ends below /proc, where a folder is there and nothing can be made in it.
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
      // Another process starting at the same time made it first.
      if (codeOf(error) === "EEXIST") return;
      throw cannotMake(folder, error);
    });
    if (isTheirs) await lchown(folder, uid, gid);
  }
  await checkUsable(dataDir);
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw cannotMake(path, error);
  }
}

function cannotMake(path: string, cause: unknown): EmbeddedPostgresFailed {
  return new EmbeddedPostgresFailed(
    `The data folder ${path} cannot be made: ${reasonOf(path, cause)}. ${ADVICE}`,
    { cause },
  );
}

function reasonOf(path: string, error: unknown): string {
  const parent = dirname(path);
  switch (codeOf(error)) {
    case "EACCES":
    case "EPERM":
      return `this user (uid ${process.getuid?.() ?? "?"}) may not write to ${parent}`;
    case "ENOTDIR":
      return `a part of ${parent} is not a folder`;
    case "ENOENT":
      return `the file system of ${parent} has no room for folders of ours`;
    case "EROFS":
      return `${parent} is on a file system that is read-only`;
    case "ENOSPC":
    case "EDQUOT":
      return "the disk is full";
    case undefined:
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

/** Says why the folder cannot be used while that can still be told from what would fail later. */
async function checkUsable(dataDir: string): Promise<void> {
  const folder = await stat(dataDir).catch(() => {
    throw new EmbeddedPostgresFailed(`The data folder ${dataDir} is a link to nowhere. ${ADVICE}`);
  });
  if (!folder.isDirectory()) {
    throw new EmbeddedPostgresFailed(`The data folder ${dataDir} is not a folder. ${ADVICE}`);
  }
  await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK).catch(() => {
    throw notOurs(dataDir, folder.uid);
  });
}

/** The same sentence for a folder, or a file in it, that somebody else made. */
function notOurs(path: string, owner: number): EmbeddedPostgresFailed {
  const why = owner === 0 ? "It belongs to root: the service was started with sudo before. " : "";
  const whom = owner === 0 ? "with sudo again" : `as the user with the uid ${owner}`;
  return new EmbeddedPostgresFailed(
    `${path} cannot be used by this user (uid ${process.getuid?.() ?? "?"}). ${why}` +
      `Start ${whom}, give the whole data folder to this user (chown -R), or set DATA_DIR to another folder.`,
  );
}

/** A sentence for an error of the file system that has to do with who owns what; undefined for any other. */
export async function explainForbidden(
  error: unknown,
): Promise<EmbeddedPostgresFailed | undefined> {
  const code = codeOf(error);
  if (code !== "EACCES" && code !== "EPERM") return undefined;
  const { path } = error as NodeJS.ErrnoException;
  if (path === undefined) return undefined;
  try {
    return notOurs(path, (await stat(path)).uid);
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}
