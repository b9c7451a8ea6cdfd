import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The version that the scenarios are tested with. */
const K6_VERSION = "v1.8.1";

/** Where `installK6` puts it: a folder for this version, which CI can cache. */
const cachedK6 = (): string => {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(cache, "tidemark", `k6-${K6_VERSION}`, "k6");
};

/**
 * Finds k6: the one in the variable K6, else the one that `installK6` built, else the one on the
 * PATH.
 *
 * @throws if there is none
 */
export const findK6 = (): string => {
  const candidates = [process.env["K6"] ?? "", cachedK6(), "k6"];
  const found = candidates.find((path) => path !== "" && runs(path, "version"));
  if (found === undefined) throw new Error(K6_MISSING);
  return found;
};

const runs = (program: string, ...args: ReadonlyArray<string>): boolean =>
  (!program.includes("/") || existsSync(program)) && spawnSync(program, args).status === 0;

const K6_DOCS = "https://grafana.com/docs/k6/latest/set-up/install-k6/";

const K6_MISSING =
  "k6 was not found. npm run load -- install builds it with Go, in about two minutes. " +
  `Other ways: ${K6_DOCS}, or K6 set to its path. (The npm package k6 is empty.)`;

/**
 * Builds k6 with Go, unless this version is built already, and returns its path.
 *
 * @throws if Go is missing or fails
 */
export const installK6 = async (): Promise<string> => {
  const path = cachedK6();
  if (runs(path, "version")) return path;
  if (!runs("go", "version"))
    throw new Error(
      `Go is not on the PATH. Install it from https://go.dev/dl/, or install k6 in another way: ${K6_DOCS}`,
    );
  const args = ["install", `go.k6.io/k6@${K6_VERSION}`];
  const env = { ...process.env, GOBIN: join(path, "..") };
  const child = spawn("go", args, { env, stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0 || !runs(path, "version")) throw new Error(`go ${args.join(" ")} failed`);
  return path;
};

/** Runs k6, and returns its exit code. Forwards signals: k6 ends a run cleanly at the first one. */
export const runK6 = async (
  k6: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {},
): Promise<number> => {
  const child = spawn(k6, args, { env: { ...process.env, ...env }, stdio: "inherit" });
  const exited = once(child, "exit");
  // Ctrl-C in a terminal also reaches k6 directly.
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
