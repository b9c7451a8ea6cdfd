import { execFile } from "node:child_process";
import { mkdtemp, rm, rmdir, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Why this machine gives us no small disk; undefined where it does. */
export const smallDiskMissing = (): string | undefined =>
  process.platform === "linux" && process.getuid?.() === 0
    ? undefined
    : "to mount a small disk needs root on Linux";

/** Mounts a disk of this size in memory, and returns where. */
export const mountSmallDisk = async (megabytes: number): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-chaos-disk-"));
  await run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=0755`, "tmpfs", folder]);
  return folder;
};

/** Unmounts it; what was on it is gone. */
export const unmountSmallDisk = async (folder: string): Promise<void> => {
  // Lazily: whoever is still dying there must not keep it.
  await run("umount", ["--lazy", folder]);
  await rmdir(folder);
};

const ballastOf = (folder: string): string => join(folder, "ballast");

/** Takes all but `freeBytes` of the disk. */
export const fillDisk = async (folder: string, freeBytes: number): Promise<void> => {
  const { bavail, bsize } = await statfs(folder);
  const pieces = Math.ceil(Math.max(0, bavail * bsize - freeBytes) / PIECE.length);
  // Written and not only reserved: a disk in memory gives space page by page.
  for (let i = 0; i < pieces; i++) {
    await writeFile(ballastOf(folder), PIECE, { flag: "a" }).catch(() => {});
  }
};

const PIECE = Buffer.alloc(100_000, 1);

/** Gives back what `fillDisk` took. */
export const freeDisk = (folder: string): Promise<void> => rm(ballastOf(folder), { force: true });
