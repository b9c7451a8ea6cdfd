import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { explainForbidden, makeDataFolder } from "./data_folder.ts";
import { databaseUrl } from "./database.ts";
import { assertDatabase } from "./database_absent.ts";
import { DataDirInUse, EmbeddedPostgresFailed } from "./errors.ts";
import { findRunning } from "./find_running.ts";
import { openLogFile } from "./log_file.ts";
import { readOwnerPid, takeOwnerLock, type OwnerLock } from "./owner_lock.ts";
import type { ServerExit } from "./server.ts";
import type { Settings } from "./settings.ts";
import { startOwned } from "./start_owned.ts";
import { stopServer } from "./stop_server.ts";
import { defaultStoreDir } from "./store.ts";
import { until } from "./until.ts";

export { DataDirInUse, EmbeddedPostgresFailed } from "./errors.ts";
export type { ServerExit } from "./server.ts";
export type { Settings } from "./settings.ts";

const ATTACH_PAUSE_MS = 50;
const ATTACH_MS_MAX = 60_000;

export interface EmbeddedPostgresOptions {
  /** Folder of the database, its log and its lock; made when absent. Relative to the working directory. */
  readonly dataDir: string;
  /** Gets a human sentence when something out of the ordinary is done; nothing is ever printed. */
  readonly onNotice?: (sentence: string) => void;
  /** Server settings over the defaults in `settings.ts`; those that make commits durable are fixed. */
  readonly settings?: Settings;
  /** Whether a folder without a database is refused, and left as it is, instead of getting one. */
  readonly mustExist?: boolean;
  /** For root only: where to keep what the unprivileged server cannot reach in its place. */
  readonly storeDir?: string;
}

export interface EmbeddedPostgres {
  /** Connection string with the password in it: do not log. */
  readonly url: string;
  /** Of the server. */
  readonly pid: number;
  /** False when another process owns the server: then `stop()` does nothing and `exited` never settles. */
  readonly owned: boolean;
  /** Shuts the server down cleanly, ending the sessions that are left; the same promise on each call. */
  stop(): Promise<void>;
  /** Settles when the server has ended, by `stop()` (`expected`) or by itself. It may then be started again. */
  readonly exited: Promise<ServerExit & { readonly expected: boolean }>;
}

/**
 * Starts a Postgres server on the data folder and owns it until `stop()` or the death of either.
 *
 * Invariant: only the process that holds the owner lock (`owner_lock.ts`) creates, starts, signals
 * or stops the database of a folder, from before the first look until the server has ended. The
 * kernel gives the lock to one process at a time and takes it back when that one dies, so
 * - of two that start at once, one wins, and the other has touched nothing;
 * - whoever wins and finds a server running knows that its owner is dead;
 * - no decision rests on whether a pid is alive, except to name the process to signal.
 * Below that, Postgres's own guards (postmaster.pid, shared memory keyed by the folder's inode) still stand
 * against a server that somebody starts by hand.
 *
 * @throws DataDirInUse when another living process owns the folder
 * @throws EmbeddedPostgresFailed for anything else, with the end of the server's log
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir);
  if (options.mustExist === true) await assertDatabase(dataDir);
  let lock: OwnerLock | undefined;
  try {
    lock = await own(dataDir);
    return await startHolding(lock, dataDir, options);
  } catch (error) {
    lock?.release();
    throw await asFailure(error);
  }
}

/**
 * For command line tools: uses the server that runs on the data folder, else starts and owns one.
 * A server whose owner was killed is stopped and started anew. When the owner stops its server, it ends for
 * the attached too.
 *
 * @throws EmbeddedPostgresFailed also when the owner's server does not answer within a minute
 */
export async function connectEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
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
          `The process ${error.ownerPid ?? ""} owns ${error.dataDir}, but its Postgres does not answer.`,
          { cause: error },
        );
      }
    }
    await delay(ATTACH_PAUSE_MS);
  }
}

async function own(dataDir: string): Promise<OwnerLock> {
  await makeDataFolder(dataDir);
  const lock = takeOwnerLock(dataDir);
  if (lock !== undefined) return lock;
  // An owner of this instant writes its pid right after it took the lock.
  const ownerPid = await until(() => readOwnerPid(dataDir), { everyMs: 5, withinMs: 100 });
  throw new DataDirInUse(dataDir, ownerPid);
}

async function startHolding(
  lock: OwnerLock,
  dataDir: string,
  {
    onNotice = () => undefined,
    settings = {},
    mustExist = false,
    storeDir = defaultStoreDir,
  }: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const log = await openLogFile(dataDir);
  const options = { dataDir, storeDir, settings, mustExist, notice: onNotice, log };
  const { server, password } = await startOwned(options).catch(async (error: unknown) => {
    await log.close();
    throw error;
  });
  let stopping: Promise<void> | undefined;
  const exited = server.exited.then(async (exit) => {
    // First of all, so that whoever waits for the exit can start anew.
    lock.release();
    await log.close();
    return { ...exit, expected: stopping !== undefined };
  });
  const stop = async (): Promise<void> => {
    const { child } = server;
    const isGone = () => child.exitCode !== null || child.signalCode !== null;
    const signal = await stopServer((name) => void child.kill(name), isGone);
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
}

function attached({ url, pid }: { url: string; pid: number }): EmbeddedPostgres {
  return { url, pid, owned: false, stop: async () => {}, exited: new Promise(() => {}) };
}

async function asFailure(error: unknown): Promise<Error> {
  if (error instanceof EmbeddedPostgresFailed || error instanceof DataDirInUse) return error;
  const forbidden = await explainForbidden(error);
  if (forbidden !== undefined) return forbidden;
  return new EmbeddedPostgresFailed(`Embedded Postgres: ${String(error)}`, { cause: error });
}
