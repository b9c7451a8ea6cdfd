import { randomBytes } from "node:crypto";
import { readdir, readlink, rm } from "node:fs/promises";
import { basename, join } from "node:path";

const DRAFT_PREFIX = "postgres.draft-";
const STORED_PREFIX = "data-";
const RANDOM = /^[0-9a-f]{32}$/;

/** What ties a draft to the folder behind it: 128 bits, in hexadecimal. */
export function draftRandom(): string {
  return randomBytes(16).toString("hex");
}

/** Where a database is made before it gets its name: the folder itself, or a link into root's store. */
export function draftPath(dataDir: string, random: string): string {
  return join(dataDir, `${DRAFT_PREFIX}${random}`);
}

/** What a draft that is a link points to. */
export function storedClusterPath(storeDir: string, random: string): string {
  return join(storeDir, `${STORED_PREFIX}${random}`);
}

/** Removes what interrupted first starts left, with the folder in the store that a draft points to. */
export async function removeDrafts(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith(DRAFT_PREFIX)) continue;
    const draft = join(dataDir, name);
    const target = await readlink(draft).catch(() => undefined);
    const random = name.slice(DRAFT_PREFIX.length);
    // Both names carry the same random number, or it is not ours to remove. Nobody can guess one,
    // so whoever owns the data folder cannot make root remove somebody else's database.
    const ours = RANDOM.test(random) && basename(target ?? "") === `${STORED_PREFIX}${random}`;
    if (target !== undefined && ours) {
      await discard(target);
      await discard(`${target}.password`);
    }
    await discard(draft);
  }
}

/** An initdb that outlived its killed owner may still be writing: then the next start removes the rest. */
async function discard(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}
