import { once } from "node:events";
import { constants } from "node:fs";
import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import type { ServerUser } from "./as_root.ts";
import { type Exit, runBinary } from "./binaries.ts";
import { EmbeddedPostgresFailed } from "./errors.ts";
import { clearOrphan, readPostmasterPid, until } from "./postmaster.ts";
import { type Settings, settingFlags } from "./settings.ts";

/** A server process that this process started. */
export interface Server {
  readonly pid: number;
  readonly port: number;
  readonly exited: Promise<Exit>;
  readonly isGone: () => boolean;
  /** Has no effect if the server has ended. */
  readonly signal: (name: NodeJS.Signals) => void;
  /** The last lines that it has logged since it started. */
  readonly logTail: () => Promise<string>;
}

export interface ServerOptions {
  readonly binariesDir: string;
  readonly clusterDir: string;
  readonly user: ServerUser | undefined;
  readonly settings: Settings;
  readonly log: LogFile;
  readonly onNotice: (sentence: string) => void;
}

const RETRY_PAUSE_MS = 50;
/** How long the children of a killed server may hold its memory before we give up. */
const RETRY_MS_MAX = 15_000;

/**
 * Starts a server and waits until it accepts connections. Retries a failure that may pass: another
 * process took the port, or children of a dead server still run.
 *
 * @throws EmbeddedPostgresFailed with the end of its log
 */
export const startServer = async (options: ServerOptions): Promise<Server> => {
  const deadline = performance.now() + RETRY_MS_MAX;
  for (;;) {
    const server = await launch(options);
    const exit = await whenReady(server, options);
    if (exit === undefined) return server;
    const logTail = await server.logTail();
    if (!MAY_PASS.test(logTail) || performance.now() > deadline) {
      throw new EmbeddedPostgresFailed(
        `Postgres exited (${exit.signal ?? `code ${exit.code}`}) before it was ready. The end of its log, ${options.log.path}:`,
        { logTail },
      );
    }
    await delay(RETRY_PAUSE_MS);
  }
};

/**
 * Failures that may pass, in Postgres's own words, which are in English because it runs with
 * LC_ALL=C. If they ever change, a start that could have been retried fails with the log in its
 * message, and nothing worse. Children of a killed server end a moment after it; until then they
 * hold its shared memory.
 */
const MAY_PASS =
  /Address already in use|shared memory block .*still in use|lock file "postmaster\.pid" already exists/;

/** Starts the server program, which does not accept connections yet. */
const launch = async (options: ServerOptions): Promise<Server> => {
  const { binariesDir, clusterDir, user, settings, log, onNotice } = options;
  const takenPid = await clearOrphan(clusterDir, onNotice);
  const port = await freePort();
  const logStart = await log.size();
  const flags = ["-D", clusterDir, ...settingFlags(settings, port)];
  const { child, exited } = await runBinary(join(binariesDir, "bin/postgres"), flags, {
    user,
    // Postgres would take a process that now has a dead server's pid for that server. This
    // variable, made for wrapper scripts that pass their own pid, tells it not to. Deleting
    // postmaster.pid instead could hit the file of a server that has just started.
    env: takenPid === undefined ? {} : { PG_GRANDPARENT_PID: String(takenPid) },
    stdio: ["ignore", log.fd, log.fd],
  });
  return {
    pid: child.pid!,
    port,
    exited,
    isGone: () => child.exitCode !== null || child.signalCode !== null,
    signal: (name) => void child.kill(name),
    logTail: () => log.tail(logStart),
  };
};

/** A TCP port of 127.0.0.1 that was free a moment ago; another process may still take it first. */
const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
};

const READY_POLL_MS = 10;
/** Long, because redo after a crash reads up to max_wal_size, and giving up would restart it. */
const READY_MS_MAX = 10 * 60_000;
const RECOVERY_NOTICE_MS = 10_000;

/**
 * Waits until the server accepts connections; returns how it ended if it did so first. Reads the
 * server's own lock file, because trying to connect would fill its log with refusals.
 */
const whenReady = async (
  server: Server,
  { clusterDir, onNotice }: ServerOptions,
): Promise<Exit | undefined> => {
  let exit: Exit | undefined;
  void server.exited.then((ended) => (exit = ended));
  let nextNotice = performance.now() + RECOVERY_NOTICE_MS;
  const outcome = await until(
    async () => {
      if (exit !== undefined) return exit;
      const record = await readPostmasterPid(clusterDir);
      const isReady = typeof record === "object" && record.pid === server.pid && record.ready;
      if (isReady) return "ready";
      if (performance.now() > nextNotice) {
        nextNotice += RECOVERY_NOTICE_MS;
        onNotice(
          "Postgres is still recovering from a crash. The more was written before it, the longer this takes.",
        );
      }
      return undefined;
    },
    { everyMs: READY_POLL_MS, withinMs: READY_MS_MAX },
  );
  if (outcome === "ready") return undefined;
  if (outcome !== undefined) return outcome;
  throw new EmbeddedPostgresFailed(
    `Postgres did not become ready within ${READY_MS_MAX / 60_000} minutes. The end of its log:`,
    { logTail: await server.logTail() },
  );
};

const LOG_BYTES_MAX = 10 * 1024 * 1024;
const TAIL_BYTES_MAX = 16 * 1024;
const TAIL_LINES_MAX = 15;

/** The server's log file, open for appending. */
export interface LogFile {
  readonly path: string;
  /** The stdout and stderr of a server. */
  readonly fd: number;
  readonly close: () => Promise<void>;
  /** Its size now, in bytes: the offset at which the next server's lines begin. */
  readonly size: () => Promise<number>;
  /** The last lines written after `offset`, perhaps none. */
  readonly tail: (offset: number) => Promise<string>;
}

/**
 * Opens `<dataDir>/postgres.log`. A file of more than 10 MiB is first renamed to `postgres.log.1`,
 * which replaces the previous one.
 *
 * The server writes to the file itself. A pipe through this process would break when we die, and
 * the server must then stay healthy so that the next owner can stop it cleanly.
 */
export const openLogFile = async (dataDir: string): Promise<LogFile> => {
  const path = join(dataDir, "postgres.log");
  const before = await stat(path).catch(() => undefined);
  if (before !== undefined && before.size > LOG_BYTES_MAX) await rename(path, `${path}.1`);
  // NOFOLLOW, because root may be working in another user's folder. 0600, because the log quotes
  // statements that failed.
  const flags = constants.O_APPEND | constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o600);
  if (process.getuid?.() === 0) {
    const { uid, gid } = await stat(dataDir);
    await file.chown(uid, gid);
  }
  return {
    path,
    fd: file.fd,
    close: () => file.close(),
    size: async () => (await file.stat()).size,
    tail: (offset) => readTail(file, offset),
  };
};

const readTail = async (file: FileHandle, offset: number): Promise<string> => {
  const { size } = await file.stat();
  const start = Math.max(offset, size - TAIL_BYTES_MAX);
  const buffer = Buffer.alloc(Math.max(0, size - start));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
  const lines = buffer.toString("utf8", 0, bytesRead).trimEnd().split("\n");
  return lines.slice(-TAIL_LINES_MAX).join("\n");
};
