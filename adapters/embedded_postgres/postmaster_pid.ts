import { execFile } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** What a server says about itself in `postmaster.pid`, the lock file inside its data folder. */
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
 * Reads `postmaster.pid`: the record, `"garbled"` for a file without a pid (a crash of the machine,
 * or a server that has just created it), or `undefined` when there is none.
 *
 * @see https://doxygen.postgresql.org/pidfile_8h_source.html for the meaning of the lines
 */
export async function readPostmasterPid(
  clusterDir: string,
): Promise<PostmasterPid | "garbled" | undefined> {
  let text: string;
  try {
    text = await readFile(join(clusterDir, "postmaster.pid"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const lines = text.split("\n");
  const pid = Math.abs(Number.parseInt(lines[0] ?? "", 10));
  const dir = lines[1] ?? "";
  if (!(pid > 0) || dir === "") return "garbled";
  const port = Number.parseInt(lines[3] ?? "", 10);
  return {
    pid,
    clusterDir: dir,
    port: port > 0 ? port : undefined,
    ready: lines[7]?.trim() === "ready",
  };
}

/** Whether a process with this pid exists (a zombie counts). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Whether the process named in the record really is the server of `clusterDir`, and not some other
 * process that was given the pid of a dead one, nor the server of the folder that this one was
 * copied from. When in doubt the answer is no: Postgres then decides by its shared memory segment.
 */
export async function isServerOf(record: PostmasterPid, clusterDir: string): Promise<boolean> {
  if (!isAlive(record.pid)) return false;
  const command = await commandLine(record.pid);
  if (!command.includes("postgres") || !command.includes(` -D ${record.clusterDir}`)) return false;
  return sameFolder(record.clusterDir, clusterDir);
}

/** The command line of a process, words parted by spaces; empty for a zombie or an unknown pid. */
async function commandLine(pid: number): Promise<string> {
  try {
    // Linux; slim images have no `ps`.
    return (await readFile(`/proc/${pid}/cmdline`, "utf8")).replaceAll("\0", " ");
  } catch {
    const ps = promisify(execFile)("ps", ["-ww", "-o", "args=", "-p", String(pid)]);
    return ps.then(
      ({ stdout }) => stdout,
      () => "",
    );
  }
}

/** A folder that the server names but that is gone was moved here under the running server. */
async function sameFolder(named: string, ours: string): Promise<boolean> {
  const [a, b] = await Promise.all([stat(named).catch(() => undefined), stat(ours)]);
  return a === undefined || (a.dev === b.dev && a.ino === b.ino);
}
