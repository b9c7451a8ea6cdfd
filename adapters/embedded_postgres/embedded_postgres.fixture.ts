import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { Client } from "pg";

import { until } from "../../scripts/test/patience.ts";
import { isServerOf, readPostmasterPid } from "./postmaster.ts";

/** Creates an empty folder that every user can traverse. */
export const makeScratch = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-postgres-"));
  await chmod(folder, 0o755);
  return folder;
};

/** Removes a scratch folder, after killing the server that a failed test may have left in it. */
export const removeScratch = async (folder: string, dataDir = folder): Promise<void> => {
  const clusterDir = join(dataDir, "postgres");
  const record = await readPostmasterPid(clusterDir).catch(() => undefined);
  if (typeof record === "object" && (await isServerOf(record, clusterDir))) {
    process.kill(record.pid, "SIGQUIT");
    await until(async () => !(await isServerOf(record, clusterDir)));
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
};

/** Runs one statement and returns the first column of its rows. */
export const query = async (url: string, statement: string): Promise<ReadonlyArray<unknown>> => {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<unknown[]>({ text: statement, rowMode: "array" });
  await client.end();
  return rows.map(([first]) => first);
};

/** The error of a promise that must reject. */
export const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => {
      throw new Error("it should have failed");
    },
    (error: Error) => error,
  );

/** What `owner_process.fixture.ts` prints: how to reach its server, or why it has none. */
export interface OwnerReport {
  readonly url?: string;
  readonly pid?: number;
  readonly error?: string;
  readonly message?: string;
  readonly notices: ReadonlyArray<string>;
}

const OWNER_PROCESS = fileURLToPath(import.meta.resolve("./owner_process.fixture.ts"));

/** Starts another Node process that owns, or tries to own, the database of a data folder. */
export const spawnOwner = (
  dataDir: string,
  { script = OWNER_PROCESS, storeDir = "", uid = "" } = {},
) => {
  const options = storeDir === "" && uid !== "" ? ["/nonexistent", uid] : [storeDir, uid];
  const args = [script, dataDir, ...options.filter((option) => option !== "")];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const exit = once(child, "exit");
  const report = (async (): Promise<OwnerReport> => {
    for await (const line of createInterface({ input: child.stdout })) {
      return JSON.parse(line) as OwnerReport;
    }
    return { error: "killed", notices: [] };
  })();
  return {
    pid: child.pid!,
    report,
    /** Asks it to stop; resolves when its server has stopped. */
    stop: async (): Promise<void> => {
      child.stdin.end();
      await exit;
    },
    /** kill -9: its server lives on. */
    kill: async (): Promise<void> => {
      child.kill("SIGKILL");
      await exit;
    },
  };
};
