import { lstat, readFile, realpath, rmdir } from "node:fs/promises";
import { join } from "node:path";

import { createCluster, type ClusterOptions } from "./create_cluster.ts";
import { databaseAbsent } from "./database_absent.ts";
import { removeDrafts } from "./drafts.ts";
import { EmbeddedPostgresFailed } from "./errors.ts";
import { canPassThrough } from "./reach.ts";
import type { ServerUser } from "./server_user.ts";

/**
 * Returns the real path of the database folder behind `<dataDir>/postgres`, making it when absent unless it must exist.
 *
 * Invariant: under the name `postgres` there is nothing or a whole database. A new one is made under
 * a draft name, synced, and renamed; only the holder of the owner lock comes here, so a draft
 * that is found was left by the dead and may go.
 *
 * @throws EmbeddedPostgresFailed when it must exist and does not, or what is there is not a database of this major version
 */
export async function ensureCluster(
  options: ClusterOptions & { readonly major: string; readonly mustExist: boolean },
): Promise<string> {
  const { dataDir, notice, mustExist } = options;
  const place = join(dataDir, "postgres");
  await removeDrafts(dataDir);
  // An empty folder holds no data to lose, and a rename would not replace it if a link is to come.
  await rmdir(place).catch(() => undefined);
  if ((await lstat(place).catch(() => undefined)) === undefined) {
    if (mustExist) throw databaseAbsent(dataDir);
    notice(`Making a new database in ${place}; this takes a second or two, once.`);
    await createCluster(place, options);
  }
  const clusterDir = await checkCluster(place, options);
  if ((await lstat(place)).isSymbolicLink()) {
    notice(whereItLies(clusterDir, options));
  }
  return clusterDir;
}

/** Said at each start: whoever backs up or deletes the data folder has to know that the data is elsewhere. */
function whereItLies(
  clusterDir: string,
  { dataDir, user }: Pick<ClusterOptions, "dataDir" | "user">,
): string {
  const why =
    user === undefined
      ? ""
      : `: started as root, Postgres runs as ${user.name}, who could not reach ${dataDir}`;
  return `The database is in ${clusterDir}, and a link in ${dataDir} leads there${why}.`;
}

async function checkCluster(
  place: string,
  { major, user }: { readonly major: string; readonly user: ServerUser | undefined },
): Promise<string> {
  const clusterDir = await realpath(place).catch((cause: unknown) => {
    throw new EmbeddedPostgresFailed(
      `${place} is a link to a folder that is gone. Bring the folder back, or remove the link to begin anew.`,
      { cause },
    );
  });
  const version = await readFile(join(clusterDir, "PG_VERSION"), "utf8").catch(() => undefined);
  if (version === undefined) {
    throw new EmbeddedPostgresFailed(
      `${place} is not empty, and is not a Postgres database that this process can read. ` +
        "Move it away, or set DATA_DIR to another folder.",
    );
  }
  if (version.trim() !== major) {
    throw new EmbeddedPostgresFailed(
      `The database in ${place} was made by Postgres ${version.trim()}, this is Postgres ${major}. ` +
        "Move the data with pg_dump or pg_upgrade, or set DATA_DIR to another folder.",
    );
  }
  if (user !== undefined && !(await canPassThrough(clusterDir, user))) {
    throw new EmbeddedPostgresFailed(
      `Started as root, Postgres runs as ${user.name}, who cannot get into ${clusterDir}. ` +
        `Give it to ${user.name} (chown -R), open the folders above it for passing through (chmod o+x), ` +
        "or set DATA_DIR to another folder.",
    );
  }
  return clusterDir;
}
