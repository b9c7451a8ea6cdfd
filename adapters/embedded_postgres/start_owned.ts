import { setTimeout as delay } from "node:timers/promises";

import { ensureCluster } from "./cluster.ts";
import { ensureDatabase } from "./database.ts";
import { EmbeddedPostgresFailed } from "./errors.ts";
import { freePort } from "./free_port.ts";
import type { LogFile } from "./log_file.ts";
import { findNative, linkLibraries } from "./native.ts";
import { reachableNative } from "./native_copy.ts";
import { clearOrphan } from "./orphan.ts";
import { readPassword } from "./password_file.ts";
import { launchServer, whenReady, type Server } from "./server.ts";
import { chooseServerUser, type ServerUser } from "./server_user.ts";
import type { Settings } from "./settings.ts";
import { classifyStartFailure } from "./start_failure.ts";

const RETRY_PAUSE_MS = 50;
/** How long the children of a killed server may hold its memory before we give up. */
const RETRY_MS_MAX = 15_000;

interface StartOptions {
  readonly dataDir: string;
  readonly storeDir: string;
  readonly settings: Settings;
  readonly mustExist: boolean;
  readonly notice: (sentence: string) => void;
  readonly log: LogFile;
}

interface Prepared {
  readonly nativeDir: string;
  readonly clusterDir: string;
  readonly user: ServerUser | undefined;
}

/**
 * From a data folder, whatever state the dead left it in, to a server that answers.
 * To be called by the holder of the owner lock only.
 */
export async function startOwned(
  options: StartOptions,
): Promise<{ server: Server; password: string }> {
  const prepared = await prepare(options);
  const password = await readPassword(prepared.clusterDir);
  const server = await startServer(prepared, options);
  try {
    await ensureDatabase(server.port, password);
  } catch (cause) {
    server.child.kill("SIGINT");
    await server.exited;
    throw new EmbeddedPostgresFailed(
      `Postgres started, but the service cannot use it: ${String(cause)}`,
      { logTail: await server.logTail(), cause },
    );
  }
  return { server, password };
}

async function prepare({ dataDir, storeDir, mustExist, notice }: StartOptions): Promise<Prepared> {
  const native = await findNative();
  await linkLibraries(native.dir);
  const user = await chooseServerUser(dataDir);
  const nativeDir =
    user === undefined ? native.dir : await reachableNative(native, user, { storeDir, notice });
  const { major } = native;
  const clusterDir = await ensureCluster({
    dataDir,
    nativeDir,
    major,
    user,
    storeDir,
    mustExist,
    notice,
  });
  return { nativeDir, clusterDir, user };
}

/** Tries again where trying again helps: a port that was snatched, a dead server's last children. */
async function startServer(
  prepared: Prepared,
  { settings, notice, log }: StartOptions,
): Promise<Server> {
  const deadline = performance.now() + RETRY_MS_MAX;
  for (;;) {
    const ignorePid = await clearOrphan(prepared.clusterDir, notice);
    const port = await freePort();
    const server = await launchServer({ ...prepared, port, settings, log, ignorePid });
    const outcome = await whenReady(server, prepared.clusterDir, notice);
    if (outcome === "ready") return server;
    const logTail = await server.logTail();
    if (classifyStartFailure(logTail) === "other" || performance.now() > deadline) {
      const how = outcome.signal ?? `code ${outcome.code}`;
      throw new EmbeddedPostgresFailed(
        `Postgres ended (${how}) before it was ready; its log is ${log.path}:`,
        { logTail },
      );
    }
    await delay(RETRY_PAUSE_MS);
  }
}
