import { realpath } from "node:fs/promises";
import { join } from "node:path";

import { databaseUrl, knock } from "./database.ts";
import { readPassword } from "./password_file.ts";
import { isAlive, readPostmasterPid } from "./postmaster_pid.ts";

/** Where the running server of a data folder can be reached. */
export interface Running {
  readonly url: string;
  readonly pid: number;
}

/**
 * Finds the server that another process runs on the data folder, or `undefined` while there is none
 * that answers: it may be starting, stopping, or about to create the service's database.
 */
export async function findRunning(dataDir: string): Promise<Running | undefined> {
  const clusterDir = await realpath(join(dataDir, "postgres")).catch(() => undefined);
  if (clusterDir === undefined) return undefined;
  const record = await readPostmasterPid(clusterDir);
  if (record === undefined || record === "garbled") return undefined;
  const { pid, port, ready } = record;
  if (!ready || port === undefined || !isAlive(pid)) return undefined;
  const password = await readPassword(clusterDir);
  // Whatever hinders it may pass (it is going down, say); the caller asks until its patience ends.
  const answers = await knock(port, password).then(
    () => true,
    () => false,
  );
  return answers ? { url: databaseUrl(port, password), pid } : undefined;
}
