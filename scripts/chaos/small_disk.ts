import { execFile } from "node:child_process";
import { mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Why this machine cannot mount a small disk; undefined if it can. */
export const smallDiskMissing = (): string | undefined =>
  process.platform === "linux" && process.getuid?.() === 0
    ? undefined
    : "mounting a small disk needs root on Linux";

/** Mounts an in-memory disk of this size, and returns its folder. */
export const mountSmallDisk = async (megabytes: number): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-chaos-disk-"));
  await run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=0755`, "tmpfs", folder]);
  return folder;
};

/** Unmounts the disk, which deletes everything on it. */
export const unmountSmallDisk = async (folder: string): Promise<void> => {
  // Lazily, because a process that is still exiting may use it.
  await run("umount", ["--lazy", folder]);
  // After an interrupt a scenario may have written below the mount point.
  await rm(folder, { recursive: true });
};

const ballastOf = (folder: string): string => join(folder, "ballast");

/** Fills the disk until `freeBytes` are left. */
export const fillDisk = async (folder: string, freeBytes: number): Promise<void> => {
  const { bavail, bsize } = await statfs(folder);
  const pieces = Math.ceil(Math.max(0, bavail * bsize - freeBytes) / PIECE.length);
  // Written, because tmpfs allocates pages only when they are written.
  for (let i = 0; i < pieces; i++) {
    await writeFile(ballastOf(folder), PIECE, { flag: "a" }).catch(() => {});
  }
};

const PIECE = Buffer.alloc(100_000, 1);

/** Frees what `fillDisk` took. */
export const freeDisk = (folder: string): Promise<void> => rm(ballastOf(folder), { force: true });
