import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { EmbeddedPostgresFailed } from "./errors.ts";
import type { LogFile } from "./log_file.ts";
import { readPostmasterPid } from "./postmaster_pid.ts";
import { cannotRun, programOptions, stopWithProcess } from "./program.ts";
import type { ServerUser } from "./server_user.ts";
import { settingFlags, type Settings } from "./settings.ts";
import { until } from "./until.ts";

const READY_POLL_MS = 10;
/** Generous: redo after a crash reads up to max_wal_size, and giving up would only begin it anew. */
const READY_MS_MAX = 10 * 60_000;
const RECOVERY_NOTICE_MS = 10_000;

/** How a server ended. */
export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A server process that this process started. */
export interface Server {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  readonly exited: Promise<ServerExit>;
  /** What it wrote to the log since it was started, the last lines. */
  logTail(): Promise<string>;
}

/**
 * Starts the server program; it does not accept connections yet.
 *
 * @param ignorePid a living process that Postgres would take for the server named in a stale
 *   postmaster.pid, because the kernel gave it the dead server's pid
 */
export async function launchServer({
  nativeDir,
  clusterDir,
  user,
  port,
  settings,
  log,
  ignorePid,
}: {
  nativeDir: string;
  clusterDir: string;
  user: ServerUser | undefined;
  port: number;
  settings: Settings;
  log: LogFile;
  ignorePid: number | undefined;
}): Promise<Server> {
  const options = programOptions(user);
  // Postgres lets a wrapper script name its own pid this way, for just this confusion. Unlike
  // deleting postmaster.pid it cannot hit the file of a server that has just started.
  if (ignorePid !== undefined) options.env["PG_GRANDPARENT_PID"] = String(ignorePid);
  const program = join(nativeDir, "bin/postgres");
  const logStart = await log.size();
  const child = spawn(program, ["-D", clusterDir, ...settingFlags(settings, port)], {
    ...options,
    // A session of its own: Ctrl-C in a terminal signals the whole group of the service, and the
    // server has to outlive the service's draining.
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
  });
  const exited = new Promise<ServerExit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  try {
    await once(child, "spawn");
  } catch (cause) {
    throw cannotRun(program, cause);
  }
  // A signal that may not be sent is reported as an event, which would end the process if unheard.
  child.on("error", () => undefined);
  stopWithProcess(child);
  return { child, pid: child.pid!, port, exited, logTail: () => log.tail(logStart) };
}

/**
 * Waits until the server accepts connections, or returns how it ended instead.
 * The server's own lock file says so; knocking at its port would fill its log with refusals.
 */
export async function whenReady(
  server: Server,
  clusterDir: string,
  notice: (sentence: string) => void,
): Promise<"ready" | ServerExit> {
  let ended: ServerExit | undefined;
  void server.exited.then((exit) => (ended = exit));
  let nextNotice = performance.now() + RECOVERY_NOTICE_MS;
  const outcome = await until(
    async () => {
      if (ended !== undefined) return ended;
      const record = await readPostmasterPid(clusterDir);
      const known = record !== undefined && record !== "garbled" && record.pid === server.pid;
      if (known && record.ready) return "ready" as const;
      if (performance.now() > nextNotice) {
        nextNotice += RECOVERY_NOTICE_MS;
        notice(
          "Postgres is still recovering from a crash; the more was written, the longer it takes.",
        );
      }
      return undefined;
    },
    { everyMs: READY_POLL_MS, withinMs: READY_MS_MAX },
  );
  if (outcome !== undefined) return outcome;
  throw new EmbeddedPostgresFailed(
    `Postgres did not become ready within ${READY_MS_MAX / 60_000} minutes.`,
    { logTail: await server.logTail() },
  );
}
