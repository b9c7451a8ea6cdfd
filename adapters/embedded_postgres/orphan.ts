import { rm } from "node:fs/promises";
import { join } from "node:path";

import { isAlive, isServerOf, readPostmasterPid, type PostmasterPid } from "./postmaster_pid.ts";
import { stopServer } from "./stop_server.ts";
import { until } from "./until.ts";

const POLL_MS = 10;
/** A server writes its pid in the instant after it creates the file. */
const GARBLED_MS_MAX = 1_000;

/**
 * Makes way for a new server: stops one that outlived its killed owner, and sees through a
 * postmaster.pid that a dead one left behind. To be called by the holder of the owner lock only:
 * then a running server cannot have an owner.
 *
 * It is stopped rather than taken over, so that the new owner has a child process to watch, the
 * settings of this version, and no sessions of the dead that still hold locks.
 *
 * @returns a pid that postmaster.pid names, but that now belongs to some other living process
 */
export async function clearOrphan(
  clusterDir: string,
  notice: (sentence: string) => void,
): Promise<number | undefined> {
  const record = await readSettled(clusterDir);
  if (record === undefined || !isAlive(record.pid)) return undefined;
  if (!(await isServerOf(record, clusterDir))) return record.pid;
  notice(`Stopping the Postgres (pid ${record.pid}) that outlived its owner on ${clusterDir}.`);
  const isGone = async () => !(await isServerOf(record, clusterDir));
  await stopServer((name) => kill(record.pid, name), isGone);
  // A killed server leaves its file, and may live on as a zombie that nobody reaps.
  return isAlive(record.pid) ? record.pid : undefined;
}

/** A file without a pid is one being written, or the ruin of a crash of the machine: then it goes. */
async function readSettled(clusterDir: string): Promise<PostmasterPid | undefined> {
  const found = await until(
    async () => {
      const record = await readPostmasterPid(clusterDir);
      return record === "garbled" ? undefined : { record };
    },
    { everyMs: POLL_MS, withinMs: GARBLED_MS_MAX },
  );
  if (found !== undefined) return found.record;
  await rm(join(clusterDir, "postmaster.pid"), { force: true });
  return undefined;
}

function kill(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It ended by itself meanwhile.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
