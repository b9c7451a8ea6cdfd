import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The version that the scenarios are written for and tried with. */
const K6_VERSION = "v1.8.1";

/** Where `installK6` puts it: a folder of its version, which a CI may keep between runs. */
const cachedK6 = (): string => {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(cache, "tidemark", `k6-${K6_VERSION}`, "k6");
};

/** The k6 to use: what the variable K6 names, else the one that was installed here, else the PATH's. */
export const findK6 = (): string | undefined => {
  const candidates = [process.env["K6"] ?? "", cachedK6(), "k6"];
  return candidates.find((path) => path !== "" && runs(path, "version"));
};

const runs = (program: string, ...args: ReadonlyArray<string>): boolean =>
  (!program.includes("/") || existsSync(program)) && spawnSync(program, args).status === 0;

/** What to do where there is no k6. */
export const K6_MISSING = `There is no k6, which runs the scenarios. Where there is Go, this builds it, in some two minutes:

  npm run load -- install

Other ways: https://grafana.com/docs/k6/latest/set-up/install-k6/, or K6 set to the path of one.
(The npm package k6 is not it: it is empty.)`;

/**
 * Builds k6 with Go, unless there is one of this version already, and returns where it is.
 *
 * @throws when there is no Go, or it fails
 */
export const installK6 = async (): Promise<string> => {
  const path = cachedK6();
  if (runs(path, "version")) return path;
  if (!runs("go", "version")) throw new Error(`There is no Go on the PATH.\n\n${K6_MISSING}`);
  const args = ["install", `go.k6.io/k6@${K6_VERSION}`];
  const env = { ...process.env, GOBIN: join(path, "..") };
  const child = spawn("go", args, { env, stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0 || !runs(path, "version")) throw new Error(`go ${args.join(" ")} failed`);
  return path;
};

/**
 * Runs k6 until it ends, and returns its exit code. Signals to this process go to k6, which ends a run
 * cleanly at the first.
 */
export const runK6 = async (
  k6: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {},
): Promise<number> => {
  const child = spawn(k6, args, { env: { ...process.env, ...env }, stdio: "inherit" });
  const exited = once(child, "exit");
  // Ctrl-C in a terminal reaches k6 by itself.
  const ignore = (): void => {};
  const forward = (): void => void child.kill("SIGTERM");
  process.on("SIGINT", ignore);
  process.on("SIGTERM", forward);
  const [code] = (await exited) as [number | null];
  process.off("SIGINT", ignore);
  process.off("SIGTERM", forward);
  return code ?? EXIT_KILLED;
};

const EXIT_KILLED = 137;
