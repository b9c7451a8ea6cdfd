import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { chooseServerUser, DEFAULT_STORE_DIR, reachableBinaries } from "./as_root.ts";
import { type Exit, findBinaries, linkLibraries } from "./binaries.ts";
import { ensureCluster } from "./cluster.ts";
import { assertDatabase, explainForbidden, makeDataFolder } from "./data_folder.ts";
import { databaseUrl, ensureDatabase, findRunning } from "./database.ts";
import { DataDirInUse, EmbeddedPostgresFailed } from "./errors.ts";
import { readPassword } from "./initdb.ts";
import { acquireOwnerLock, type OwnerLock, readOwnerPid } from "./owner_lock.ts";
import { stopServer, until } from "./postmaster.ts";
import { type LogFile, openLogFile, type Server, startServer } from "./server.ts";
import type { Settings } from "./settings.ts";

export { DataDirInUse, EmbeddedPostgresFailed } from "./errors.ts";

export interface EmbeddedPostgresOptions {
  /** The folder of the database, its log and its lock, created if necessary. */
  readonly dataDir: string;
  /** Receives a sentence for people when something unusual happens. Nothing is ever printed. */
  readonly onNotice?: (sentence: string) => void;
  /** Override the defaults in `settings.ts`, except those that make commits durable. */
  readonly settings?: Settings;
  /** Whether to refuse a folder without a database, and not touch it, instead of creating one. */
  readonly mustExist?: boolean;
  /** For root only: where to keep what the unprivileged server cannot reach in its own place. */
  readonly storeDir?: string;
}

export interface EmbeddedPostgres {
  /** The connection string. It contains the password: do not log it. */
  readonly url: string;
  /** The pid of the server. */
  readonly pid: number;
  /** If false, another process owns the server, `stop` does nothing and `exited` never settles. */
  readonly owned: boolean;
  /** Ends all sessions and shuts the server down cleanly. Every call returns the same promise. */
  readonly stop: () => Promise<void>;
  /** Settles when the server has ended, by `stop` (`expected`) or by itself. */
  readonly exited: Promise<Exit & { readonly expected: boolean }>;
}

/**
 * Starts a Postgres server on the data folder and owns it until `stop` or the death of either.
 *
 * Invariant: only the process that holds the owner lock (`owner_lock.ts`) creates, starts, signals
 * or stops the database of a folder, from its first check until the server has ended. The kernel
 * gives the lock to one process at a time and releases it when that process dies. Therefore
 * - if two processes start at the same time, one wins, and the other has changed nothing;
 * - a winner that finds a server running knows that its owner is dead;
 * - no decision depends on whether a pid is alive, except which process to signal.
 * Postgres's own guards (postmaster.pid, shared memory keyed by the inode of the folder) still
 * protect the database from a server that is started by hand.
 *
 * @throws DataDirInUse if another living process owns the folder
 * @throws EmbeddedPostgresFailed for any other failure, with the end of the server's log
 */
export const startEmbeddedPostgres = async (
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> => {
  const dataDir = resolve(options.dataDir);
  if (options.mustExist === true) await assertDatabase(dataDir);
  let lock: OwnerLock | undefined;
  let log: LogFile | undefined;
  try {
    await makeDataFolder(dataDir);
    lock = await own(dataDir);
    log = await openLogFile(dataDir);
    return await startOwned(lock, log, { ...options, dataDir });
  } catch (error) {
    await log?.close();
    lock?.release();
    if (error instanceof EmbeddedPostgresFailed || error instanceof DataDirInUse) throw error;
    throw (
      (await explainForbidden(error)) ??
      new EmbeddedPostgresFailed(`The embedded Postgres failed: ${String(error)}`, { cause: error })
    );
  }
};

const OWNER_PID_POLL_MS = 5;
const OWNER_PID_MS_MAX = 100;

const own = async (dataDir: string): Promise<OwnerLock> => {
  const lock = acquireOwnerLock(dataDir);
  if (lock !== undefined) return lock;
  // A new owner writes its pid just after it has acquired the lock.
  const ownerPid = await until(() => readOwnerPid(dataDir), {
    everyMs: OWNER_PID_POLL_MS,
    withinMs: OWNER_PID_MS_MAX,
  });
  throw new DataDirInUse(dataDir, ownerPid);
};

/** Starts a server on the data folder, in whatever state a dead process left it. */
const startOwned = async (
  lock: OwnerLock,
  log: LogFile,
  {
    dataDir,
    onNotice = () => undefined,
    settings = {},
    mustExist = false,
    storeDir = DEFAULT_STORE_DIR,
  }: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> => {
  const binaries = await findBinaries();
  await linkLibraries(binaries.dir);
  const user = await chooseServerUser(dataDir);
  const { major } = binaries;
  const binariesDir =
    user === undefined
      ? binaries.dir
      : await reachableBinaries(binaries, user, { storeDir, onNotice });
  const where = { dataDir, storeDir, binariesDir, user, onNotice };
  const clusterDir = await ensureCluster({ ...where, major, mustExist });
  const password = await readPassword(clusterDir);
  const server = await startServer({ ...where, clusterDir, settings, log });
  await ensureDatabaseOrStop(server, password);

  let stopping: Promise<void> | undefined;
  const exited = server.exited.then(async (exit) => {
    // Before anything else, so that whoever waits for the exit can start again.
    lock.release();
    await log.close();
    return { ...exit, expected: stopping !== undefined };
  });
  const stop = async (): Promise<void> => {
    const signal = await stopServer(server.signal, server.isGone);
    await exited;
    if (signal !== "SIGINT") onNotice(`Postgres had to be stopped with ${signal}.`);
  };
  return {
    url: databaseUrl(server.port, password),
    pid: server.pid,
    owned: true,
    stop: () => (stopping ??= stop()),
    exited,
  };
};

const ensureDatabaseOrStop = async (server: Server, password: string): Promise<void> => {
  try {
    await ensureDatabase(server.port, password);
  } catch (cause) {
    server.signal("SIGINT");
    await server.exited;
    throw new EmbeddedPostgresFailed(
      `Postgres started, but the service cannot use it: ${String(cause)}`,
      { logTail: await server.logTail(), cause },
    );
  }
};

const ATTACH_PAUSE_MS = 50;
const ATTACH_MS_MAX = 60_000;

/**
 * For command line tools: uses the server that runs on the data folder, else starts and owns one. A
 * server whose owner was killed is restarted. Tools lose the server when its owner stops it.
 *
 * @throws EmbeddedPostgresFailed also if the owner's server does not answer within a minute
 */
export const connectEmbeddedPostgres = async (
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> => {
  const deadline = performance.now() + ATTACH_MS_MAX;
  for (;;) {
    try {
      return await startEmbeddedPostgres(options);
    } catch (error) {
      if (!(error instanceof DataDirInUse)) throw error;
      const running = await findRunning(error.dataDir);
      if (running !== undefined) return attached(running);
      if (performance.now() > deadline) {
        throw new EmbeddedPostgresFailed(
          `Process ${error.ownerPid ?? "(unknown)"} owns ${error.dataDir}, but its Postgres does not answer. ` +
            "Stop that process and try again.",
          { cause: error },
        );
      }
    }
    await delay(ATTACH_PAUSE_MS);
  }
};

const attached = ({ url, pid }: { url: string; pid: number }): EmbeddedPostgres => ({
  url,
  pid,
  owned: false,
  stop: async () => {},
  exited: new Promise(() => {}),
});
