import { chmod, lstat, mkdir, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { EmbeddedPostgresFailed } from "./errors.ts";
import { canPassThrough } from "./reach.ts";
import type { ServerUser } from "./server_user.ts";

const WRITABLE_BY_OTHERS = 0o022;
/** To pass through, not to list: the random names inside stay unknown. */
const STORE_MODE = 0o711;
const STICKY = 0o1000;

/** Where a service that was started as root keeps what its unprivileged server must reach. */
export const defaultStoreDir = "/var/lib/tidemark";

/**
 * Makes and returns a folder that belongs to root, that only root can write to, and that `user` can
 * pass through.
 *
 * @param lasting true for data: a temporary folder, which a reboot empties, is then no choice
 * @throws EmbeddedPostgresFailed when there is no such place
 */
export async function trustedStore(
  user: ServerUser,
  { storeDir, lasting }: { storeDir: string; lasting: boolean },
): Promise<string> {
  const candidates = lasting ? [storeDir] : [storeDir, join(tmpdir(), "tidemark-root")];
  const refusals: string[] = [];
  for (const candidate of candidates) {
    const refusal = await prepare(candidate, user).catch((error: unknown) => String(error));
    if (refusal === undefined) return realpath(candidate);
    refusals.push(`${candidate}: ${refusal}`);
  }
  throw new EmbeddedPostgresFailed(
    `Started as root, Postgres runs as ${user.name}, who cannot reach this folder, ` +
      `and no other place will do (${refusals.join("; ")}). ` +
      `Set DATA_DIR to a folder that ${user.name} can reach, start as an ordinary user, or set DATABASE_URL.`,
  );
}

/** Why the folder will not do, or `undefined` when it will. */
async function prepare(folder: string, user: ServerUser): Promise<string | undefined> {
  try {
    await mkdir(folder);
    // Not by mkdir's mode, which the umask narrows.
    await chmod(folder, STORE_MODE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  // Anyone may have put a folder or a link of this name into /tmp before us, so trust what is
  // there, not the name.
  const found = await lstat(folder);
  if (!found.isDirectory()) return "is not a folder";
  if ((found.mode & WRITABLE_BY_OTHERS) !== 0) return "others can write to it";
  for (let here = await realpath(folder); ; here = dirname(here)) {
    const { uid, mode } = await lstat(here);
    if (uid !== 0) return `${here} does not belong to root`;
    // In a sticky folder such as /tmp others can write, but cannot replace what is root's.
    const replaceable = (mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0;
    if (replaceable) return `others can write to ${here}`;
    if (here === dirname(here)) break;
  }
  return (await canPassThrough(folder, user)) ? undefined : `${user.name} cannot reach it`;
}
