import { realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";

import type { ServerUser } from "./server_user.ts";

const READ_AND_ENTER = 0o5;
const ENTER = 0o1;

/**
 * Whether `user` can get to `path` and read and enter (or execute) it, judged by the modes of the
 * path and of every folder above it, as the kernel would. Supplementary groups do not count: a
 * child process that is started with a uid has none. The path must exist.
 */
export async function canReach(path: string, user: ServerUser): Promise<boolean> {
  return walk(path, user, READ_AND_ENTER);
}

/** Like `canReach`, for a folder whose insides are known by name and need not be listed. */
export async function canPassThrough(folder: string, user: ServerUser): Promise<boolean> {
  return walk(folder, user, ENTER);
}

async function walk(path: string, user: ServerUser, neededAtEnd: number): Promise<boolean> {
  let here = await realpath(path);
  let needed = neededAtEnd;
  for (;;) {
    if (!allows(await stat(here), user, needed)) return false;
    const above = dirname(here);
    if (above === here) return true;
    here = above;
    needed = ENTER;
  }
}

/** The one class of mode bits that applies: owner before group before others, no mixing. */
function allows(
  { mode, uid, gid }: { mode: number; uid: number; gid: number },
  user: ServerUser,
  needed: number,
): boolean {
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
  return ((mode >> shift) & needed) === needed;
}
