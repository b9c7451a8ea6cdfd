import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** What `owner_process.ts` prints: either how to reach its server, or why it has none. */
export interface OwnerReport {
  readonly url?: string;
  readonly pid?: number;
  readonly error?: string;
  readonly message?: string;
  readonly notices: readonly string[];
}

/** For tests: another Node process that owns, or tries to own, the database of a data folder. */
export function spawnOwner(
  dataDir: string,
  {
    script = fileURLToPath(import.meta.resolve("./owner_process.ts")),
    storeDir = "",
    uid = "",
  } = {},
) {
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
    /** Ends it politely; its server is stopped when this resolves. */
    async stop() {
      child.stdin.end();
      await exit;
    },
    /** kill -9: its server lives on. */
    async kill() {
      child.kill("SIGKILL");
      await exit;
    },
  };
}
