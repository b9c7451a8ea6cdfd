import { constants } from "node:fs";
import { open, rename, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

const LOG_BYTES_MAX = 10 * 1024 * 1024;
const TAIL_BYTES_MAX = 16 * 1024;
const TAIL_LINES_MAX = 15;

/** The server's log file, open for appending. */
export interface LogFile {
  readonly path: string;
  /** What a child process gets as its stdout and stderr. */
  readonly fd: number;
  close(): Promise<void>;
  /** Its size now, in bytes: the place from which the next server's lines can be read. */
  size(): Promise<number>;
  /** The last lines written since `offset`, perhaps none. */
  tail(offset: number): Promise<string>;
}

/**
 * Opens `<dataDir>/postgres.log`; one of more than 10 MiB is first set aside as `postgres.log.1`,
 * in place of the one before.
 *
 * The server writes to the file itself. A pipe through this process would break with our death,
 * and the server must outlive us in good health to be stopped cleanly by the next owner.
 */
export async function openLogFile(dataDir: string): Promise<LogFile> {
  const path = join(dataDir, "postgres.log");
  const before = await stat(path).catch(() => undefined);
  if (before !== undefined && before.size > LOG_BYTES_MAX) await rename(path, `${path}.1`);
  // NOFOLLOW: root may be working in somebody else's folder. 0600: statements that failed are quoted.
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
}

async function readTail(file: FileHandle, offset: number): Promise<string> {
  const { size } = await file.stat();
  const start = Math.max(offset, size - TAIL_BYTES_MAX);
  const buffer = Buffer.alloc(Math.max(0, size - start));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
  const lines = buffer.toString("utf8", 0, bytesRead).trimEnd().split("\n");
  return lines.slice(-TAIL_LINES_MAX).join("\n");
}
