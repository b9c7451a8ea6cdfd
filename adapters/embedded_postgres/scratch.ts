import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { isServerOf, readPostmasterPid } from "./postmaster_pid.ts";
import { until } from "./until.ts";

/** For tests: a new empty folder that every user can pass through. */
export async function makeScratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-postgres-"));
  await chmod(folder, 0o755);
  return folder;
}

/** Removes a scratch folder, after killing the server that a failed test may have left in it. */
export async function removeScratch(folder: string, dataDir = folder): Promise<void> {
  const clusterDir = join(dataDir, "postgres");
  const record = await readPostmasterPid(clusterDir).catch(() => undefined);
  if (record !== undefined && record !== "garbled" && (await isServerOf(record, clusterDir))) {
    process.kill(record.pid, "SIGQUIT");
    const isGone = async () => ((await isServerOf(record, clusterDir)) ? undefined : true);
    await until(isGone, { everyMs: 10, withinMs: 5_000 });
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
