import { chownSync, lstatSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { EmbeddedPostgresFailed } from "./errors.ts";

/** Proof that this process owns a data folder, until `release()` or the death of the process. */
export interface OwnerLock {
  release(): void;
}

const SQLITE_BUSY = 5;

/**
 * Takes the ownership of a data folder, or returns `undefined` when another living owner has it.
 *
 * Ownership must end with the process, also after kill -9, and must not depend on pids, which the
 * kernel recycles. Only a kernel file lock does both, and Node offers one in a single place: SQLite
 * holds its RESERVED lock (fcntl; one holder, non-blocking) for as long as a write transaction is
 * open. Nothing is ever written, so the file stays empty.
 *
 * Do not open `owner.lock` in any other way: POSIX drops a process's locks on a file as soon as
 * the process closes *any* descriptor of it.
 */
export function takeOwnerLock(dataDir: string): OwnerLock | undefined {
  const lockPath = join(dataDir, "owner.lock");
  const pidPath = join(dataDir, "owner.pid");
  refuseSymlink(lockPath);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(lockPath, { timeout: 0 });
    // No journal file beside the lock: there is nothing to roll back.
    database.exec("PRAGMA journal_mode = MEMORY");
    // IMMEDIATE, not EXCLUSIVE: of two who try EXCLUSIVE at once both may fail, each seeing the
    // other's shared lock. RESERVED is granted to exactly one of them.
    database.exec("BEGIN IMMEDIATE");
  } catch (error) {
    database?.close();
    if (isBusy(error)) return undefined;
    throw new EmbeddedPostgresFailed(
      `Cannot lock the data folder ${dataDir}: ${error instanceof Error ? error.message : String(error)}. ` +
        `It must be writable by this user (uid ${process.getuid?.() ?? "?"}), or set DATA_DIR to another folder.`,
      { cause: error },
    );
  }
  const held = database;
  rmSync(pidPath, { force: true });
  writeFileSync(pidPath, `${process.pid}\n`, { flag: "wx" });
  giveToFolderOwner(dataDir, [lockPath, pidPath]);
  return {
    release() {
      if (!held.isOpen) return;
      // Before the lock goes: afterwards the file may already be the next owner's.
      rmSync(pidPath, { force: true });
      held.close();
    },
  };
}

/** The pid that the owner wrote down; for messages only, it proves nothing. */
export function readOwnerPid(dataDir: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(join(dataDir, "owner.pid"), "utf8"), 10);
    return Number.isNaN(pid) ? undefined : pid;
  } catch {
    return undefined;
  }
}

/** Root may be working in a folder of someone else, who must not point it at other files. */
function refuseSymlink(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new EmbeddedPostgresFailed(`${path} is a symbolic link; remove it.`);
  }
}

/** After one run as root the owner of the folder must still be able to run the service as themselves. */
function giveToFolderOwner(dataDir: string, paths: readonly string[]): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(dataDir);
  for (const path of paths) chownSync(path, uid, gid);
}

function isBusy(error: unknown): boolean {
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) : 0;
  return (code & 0xff) === SQLITE_BUSY;
}
