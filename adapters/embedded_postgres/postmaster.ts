/** What `postmaster.pid` says about a Postgres server, and how to stop one, even an orphan. */
import { execFile } from "node:child_process";
import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

import { EmbeddedPostgresFailed } from "./errors.ts";

/** What a server writes to `postmaster.pid`, the lock file in its data folder. */
export interface PostmasterPid {
  readonly pid: number;
  /** The data folder as the server knows it: absolute. */
  readonly clusterDir: string;
  /** Undefined in the first milliseconds of a server's life. */
  readonly port: number | undefined;
  /** True once it accepts connections. */
  readonly ready: boolean;
}

/**
 * Reads `postmaster.pid`: the record, `"garbled"` for a file without a pid (the machine crashed, or
 * a server has just created the file), or `undefined` if there is none.
 *
 * @see https://doxygen.postgresql.org/pidfile_8h_source.html for the meaning of the lines
 */
export const readPostmasterPid = async (
  clusterDir: string,
): Promise<PostmasterPid | "garbled" | undefined> => {
  let text: string;
  try {
    text = await readFile(join(clusterDir, "postmaster.pid"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const [pidLine = "", dir = "", , portLine = "", , , , status = ""] = text.split("\n");
  const pid = Math.abs(Number.parseInt(pidLine, 10));
  if (!(pid > 0) || dir === "") return "garbled";
  const port = Number.parseInt(portLine, 10);
  return {
    pid,
    clusterDir: dir,
    port: port > 0 ? port : undefined,
    ready: status.trim() === "ready",
  };
};

/** Whether a process with this pid exists (a zombie counts). */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
};

/**
 * Whether the process in the record really is the server of `clusterDir`, rather than another
 * process that was given the pid of a dead server, or the server of the folder that this one is a
 * copy of. When in doubt, the answer is no: then Postgres decides, by its shared memory segment.
 */
export const isServerOf = async (record: PostmasterPid, clusterDir: string): Promise<boolean> => {
  if (!isAlive(record.pid)) return false;
  const command = await commandLine(record.pid);
  if (!command.includes("postgres") || !command.includes(` -D ${record.clusterDir}`)) return false;
  return isSameFolder(record.clusterDir, clusterDir);
};

/** The command line of a process, separated by spaces; empty for a zombie or an unknown pid. */
const commandLine = async (pid: number): Promise<string> => {
  try {
    // On Linux, where slim images have no `ps`.
    return (await readFile(`/proc/${pid}/cmdline`, "utf8")).replaceAll("\0", " ");
  } catch {
    const ps = promisify(execFile)("ps", ["-ww", "-o", "args=", "-p", String(pid)]);
    return ps.then(
      ({ stdout }) => stdout,
      () => "",
    );
  }
};

/** True also if the folder that the server names is gone: it was moved while the server ran. */
const isSameFolder = async (named: string, ours: string): Promise<boolean> => {
  const [a, b] = await Promise.all([stat(named).catch(() => undefined), stat(ours)]);
  return a === undefined || (a.dev === b.dev && a.ino === b.ino);
};

/** How long each signal may take, in milliseconds. */
export interface StopBounds {
  /** A fast shutdown writes everything in memory to disk. */
  readonly fastMs: number;
  /** An immediate shutdown and a kill only end the processes. */
  readonly immediateMs: number;
}

const DEFAULT_BOUNDS: StopBounds = { fastMs: 30_000, immediateMs: 5_000 };
const STOP_POLL_MS = 5;

/**
 * Stops a server with SIGINT (fast shutdown: ends sessions, rolls back, writes a checkpoint), then
 * SIGQUIT (immediate shutdown), then SIGKILL. The last two lose nothing that was committed: the
 * next start replays the log, which takes longer.
 *
 * @param signal sends a signal to the server; has no effect if it has already ended
 * @param isGone whether the server has ended
 * @returns the signal that worked
 * @throws EmbeddedPostgresFailed if not even SIGKILL did
 */
export const stopServer = async (
  signal: (name: NodeJS.Signals) => void,
  isGone: () => boolean | Promise<boolean>,
  { fastMs, immediateMs }: StopBounds = DEFAULT_BOUNDS,
): Promise<NodeJS.Signals> => {
  const steps = [
    ["SIGINT", fastMs],
    ["SIGQUIT", immediateMs],
    ["SIGKILL", immediateMs],
  ] as const;
  const poll = async () => ((await isGone()) ? true : undefined);
  for (const [name, withinMs] of steps) {
    signal(name);
    if (await until(poll, { everyMs: STOP_POLL_MS, withinMs })) return name;
  }
  throw new EmbeddedPostgresFailed(
    "The Postgres server still runs after SIGKILL. Its disk may be stuck: check the machine.",
  );
};

const ORPHAN_POLL_MS = 10;
/** A server writes its pid immediately after it creates the file. */
const GARBLED_MS_MAX = 1_000;

/**
 * Makes way for a new server: stops one that outlived its killed owner, and ignores a
 * `postmaster.pid` that a dead one left behind. Only the holder of the owner lock calls this, so a
 * running server has no owner.
 *
 * The server is stopped rather than adopted, so that the new owner has a child process to watch,
 * the settings of this version, and no sessions of the dead owner that still hold locks.
 *
 * @returns a pid that `postmaster.pid` names but that now belongs to another living process
 */
export const clearOrphan = async (
  clusterDir: string,
  onNotice: (sentence: string) => void,
): Promise<number | undefined> => {
  const record = await readSettled(clusterDir);
  if (record === undefined || !isAlive(record.pid)) return undefined;
  if (!(await isServerOf(record, clusterDir))) return record.pid;
  onNotice(
    `Stopping a Postgres server (pid ${record.pid}) that outlived its owner in ${clusterDir}.`,
  );
  const isGone = async () => !(await isServerOf(record, clusterDir));
  await stopServer((name) => kill(record.pid, name), isGone);
  // A killed server leaves its file, and may live on as a zombie that nobody reaps.
  return isAlive(record.pid) ? record.pid : undefined;
};

/** A file without a pid is being written, or a crash of the machine left it: then it is removed. */
const readSettled = async (clusterDir: string): Promise<PostmasterPid | undefined> => {
  const found = await until(
    async () => {
      const record = await readPostmasterPid(clusterDir);
      return record === "garbled" ? undefined : { record };
    },
    { everyMs: ORPHAN_POLL_MS, withinMs: GARBLED_MS_MAX },
  );
  if (found !== undefined) return found.record;
  await rm(join(clusterDir, "postmaster.pid"), { force: true });
  return undefined;
};

const kill = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It has ended by itself.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
};

/**
 * Polls until `probe` returns something other than `undefined`.
 *
 * @param probe a throw ends the polling
 * @param options the pause between two polls, and when to give up, in milliseconds
 * @returns the answer, or `undefined` if time is up
 */
export const until = async <T>(
  probe: () => T | undefined | Promise<T | undefined>,
  { everyMs, withinMs }: { readonly everyMs: number; readonly withinMs: number },
): Promise<T | undefined> => {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (performance.now() >= deadline) return undefined;
    await delay(everyMs);
  }
};
