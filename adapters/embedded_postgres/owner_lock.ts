import { chownSync, lstatSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { EmbeddedPostgresFailed } from "./errors.ts";

/** Proof that this process owns a data folder, until `release` or the death of the process. */
export interface OwnerLock {
  readonly release: () => void;
}

const SQLITE_BUSY = 5;

/**
 * Acquires the ownership of a data folder, or returns `undefined` if another living process has it.
 *
 * Ownership must end with the process, even after kill -9, and must not depend on pids, which the
 * kernel recycles. Only a kernel file lock has both properties, and Node offers one in a single
 * place: SQLite holds its RESERVED lock (fcntl; one holder, non-blocking) as long as a write
 * transaction is open. Nothing is ever written, so the file stays empty.
 *
 * Do not open `owner.lock` in any other way: POSIX drops a process's locks on a file as soon as the
 * process closes *any* descriptor of it.
 */
export const acquireOwnerLock = (dataDir: string): OwnerLock | undefined => {
  const lockPath = join(dataDir, "owner.lock");
  const pidPath = pidFileIn(dataDir);
  // Root may be working in the folder of another user, who must not direct it to other files.
  if (lstatSync(lockPath, { throwIfNoEntry: false })?.isSymbolicLink()) {
    throw new EmbeddedPostgresFailed(`${lockPath} is a symbolic link. Remove it.`);
  }
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(lockPath, { timeout: 0 });
    // There is nothing to roll back, so no journal file is needed beside the lock.
    database.exec("PRAGMA journal_mode = MEMORY");
    // IMMEDIATE, not EXCLUSIVE: if two processes try EXCLUSIVE at the same time, both may fail,
    // because each sees the other's shared lock. RESERVED is granted to exactly one of them.
    database.exec("BEGIN IMMEDIATE");
  } catch (error) {
    database?.close();
    if (isBusy(error)) return undefined;
    throw new EmbeddedPostgresFailed(
      `Cannot lock the data folder ${dataDir}: ${error instanceof Error ? error.message : String(error)}. ` +
        `Make it writable for this user (uid ${process.getuid?.() ?? "?"}), or set DATA_DIR to another folder.`,
      { cause: error },
    );
  }
  const held = database;
  rmSync(pidPath, { force: true });
  writeFileSync(pidPath, `${process.pid}\n`, { flag: "wx" });
  if (process.getuid?.() === 0) {
    // After a run as root, the owner of the folder must still be able to run the service.
    const { uid, gid } = statSync(dataDir);
    for (const path of [lockPath, pidPath]) chownSync(path, uid, gid);
  }
  return {
    release: () => {
      if (!held.isOpen) return;
      // Before the lock is released; afterwards the file may already belong to the next owner.
      rmSync(pidPath, { force: true });
      held.close();
    },
  };
};

const pidFileIn = (dataDir: string): string => join(dataDir, "owner.pid");

/** The pid that the owner recorded; for messages only, because it proves nothing. */
export const readOwnerPid = (dataDir: string): number | undefined => {
  try {
    const pid = Number.parseInt(readFileSync(pidFileIn(dataDir), "utf8"), 10);
    return Number.isNaN(pid) ? undefined : pid;
  } catch {
    return undefined;
  }
};

const isBusy = (error: unknown): boolean => {
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) : 0;
  return (code & 0xff) === SQLITE_BUSY;
};
