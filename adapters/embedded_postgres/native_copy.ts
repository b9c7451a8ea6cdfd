import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { chmod, copyFile, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { linkLibraries, type Native } from "./native.ts";
import { canReach } from "./reach.ts";
import type { ServerUser } from "./server_user.ts";
import { trustedStore } from "./store.ts";

/**
 * The folder of programs for `user` to run: npm's own when the user can reach it, else a copy, made
 * once per version, in root's store. The case is a checkout inside a home folder with mode 0700.
 *
 * @throws EmbeddedPostgresFailed when no place for the copy can be found
 */
export async function reachableNative(
  native: Native,
  user: ServerUser,
  { storeDir, notice }: { storeDir: string; notice: (sentence: string) => void },
): Promise<string> {
  const probes = ["bin/postgres", "lib", "share/postgresql"];
  const reached = await Promise.all(probes.map((path) => canReach(join(native.dir, path), user)));
  if (reached.every(Boolean)) return native.dir;

  const store = await trustedStore(user, { storeDir, lasting: false });
  const copy = join(store, `postgres-${native.version}-${process.platform}-${process.arch}`);
  if (await stat(copy).catch(() => undefined)) return copy;
  notice(
    `Copying the Postgres programs to ${copy}, because ${user.name} cannot reach ${native.dir}.`,
  );
  const draft = `${copy}.draft-${randomBytes(8).toString("hex")}`;
  try {
    await copyTree(native.dir, draft);
    await linkLibraries(draft);
    // Complete or absent, never half: whoever sees the name may run what is behind it.
    await rename(draft, copy);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Fine if another service that started at the same time was first.
    if (!(await stat(copy).catch(() => undefined))) throw error;
  }
  return copy;
}

/** Copies files and folders, readable by all whatever the umask, and leaves out links. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  await chmod(to, 0o755);
  const entries = await readdir(from, { withFileTypes: true });
  // All at once: the disk then makes many files durable in one go, three times as fast as in turn.
  await Promise.all(
    entries.map(async (entry) => {
      const [source, target] = [join(from, entry.name), join(to, entry.name)];
      if (entry.isDirectory()) await copyTree(source, target);
      else if (entry.isFile()) await copyOne(source, target);
    }),
  );
}

async function copyOne(source: string, target: string): Promise<void> {
  await copyFile(source, target, constants.COPYFILE_EXCL);
  const { mode } = await stat(source);
  await chmod(target, (mode & 0o100) === 0 ? 0o644 : 0o755);
  // On disk before the rename is, or a power cut leaves a complete-looking copy of empty files.
  const file = await open(target, "r");
  await file.sync();
  await file.close();
}
