/**
 * The test runner, `npm test`: runs each test file in a process of its own, and ends with the line
 * `N passed, N failed`.
 *
 * uvu's own runner exits with 0 when a hook throws or `.run()` was forgotten. See `queue.ts` and
 * `tracked_uvu.ts`.
 */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";

import { EXIT_FAILED, runCommand, wholeNumber } from "../../adapters/terminal/command_line.ts";
import { type FileResult, runTestFile } from "./file_runner.ts";
import { printDetails, printResult } from "./print.ts";
import { describeError } from "./queue.ts";
import {
  findTests,
  longestFirst,
  readDurations,
  selectTests,
  writeDurations,
} from "./test_files.ts";

/** Several times as long as the slowest file on two idle processors. */
const FILE_TIMEOUT_MS = 300_000;
const WORKERS_MAX = 4;

/** A number from the environment. 0 would run nothing. */
const numberIn = (variable: string, byDefault: number, max: number): number =>
  wholeNumber(variable, process.env[variable] ?? String(byDefault), { min: 1, max });

interface SharedServers {
  /** Added to the environment of every test process outside core/. */
  env: Record<string, string>;
  teardown(): Promise<void>;
}

/** Starts the servers that test files share, with `scripts/test/setup.ts` if it exists. */
async function startSharedServers(): Promise<SharedServers> {
  const path = `${root}/scripts/test/setup.ts`;
  if (!existsSync(path)) return { env: {}, teardown: async () => {} };
  const module = (await import(pathToFileURL(path).href)) as { setup(): Promise<SharedServers> };
  return module.setup();
}

interface Limits {
  readonly fileTimeoutMs: number;
  readonly workers: number;
}

/** @throws UsageError */
const readLimits = (): Limits => ({
  fileTimeoutMs: numberIn("TEST_FILE_TIMEOUT_MS", FILE_TIMEOUT_MS, 86_400_000),
  workers: numberIn("TEST_WORKERS", Math.min(availableParallelism(), WORKERS_MAX), 1_000),
});

const root = process.cwd();
const total = { passed: 0, failed: 0, skipped: 0 };

function fail(title: string, detail: string): void {
  total.failed += 1;
  printDetails(title, [detail]);
}

function record(result: FileResult): void {
  if (process.env["CI"] === "true" && result.skipped.length > 0) {
    result.failed += result.skipped.length;
    result.details.push("skipped suites are failures in CI: install what they need");
  }
  total.passed += result.passed;
  total.failed += result.failed;
  total.skipped += result.skipped.length;
  printResult(result);
}

/** The environment of the test processes. */
function childEnv(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  if (process.stdout.isTTY && env["NO_COLOR"] === undefined) env["FORCE_COLOR"] = "1";
  // Importing effect without the cache takes half a second. With it, coverage is less exact.
  if (env["NODE_V8_COVERAGE"] === undefined) {
    env["NODE_COMPILE_CACHE"] ??= `${root}/node_modules/.cache/tidemark/compile`;
  }
  return env;
}

/** Tests of core need no server, and run while the servers start. */
const needsServers = (file: string): boolean => !file.startsWith("core/");

/** The result of a promise, or a rejection if it takes longer. */
async function within<T>(ms: number, promise: T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`hung: no answer after ${ms / 1000} s (TEST_FILE_TIMEOUT_MS)`)),
      ms,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function runAll(
  files: string[],
  { fileTimeoutMs, workers }: Limits,
  interrupted: AbortSignal,
): Promise<void> {
  const durations = readDurations(root);
  const pending = longestFirst(files, durations);
  const env = childEnv();
  let servers: SharedServers | undefined;
  let serversFailed = false;
  const starting = files.some(needsServers)
    ? within(fileTimeoutMs, startSharedServers()).then(
        (started) => (servers = started),
        (error: unknown) => {
          serversFailed = true;
          fail("scripts/test/setup.ts", describeError(error));
        },
      )
    : undefined;

  const worker = async (): Promise<void> => {
    while (pending.length > 0 && !interrupted.aborted) {
      const ready = pending.findIndex((file) => servers !== undefined || !needsServers(file));
      if (ready === -1) {
        await starting;
        if (serversFailed) return;
        continue;
      }
      const [file = ""] = pending.splice(ready, 1);
      const result = await runTestFile(file, {
        root,
        env: needsServers(file) ? { ...env, ...servers?.env } : env,
        timeoutMs: fileTimeoutMs,
        signal: interrupted,
      });
      if (interrupted.aborted) return;
      durations[file] = result.durationMs;
      record(result);
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  if (interrupted.aborted) fail("interrupted", "the remaining tests did not run");
  else for (const file of pending) fail(file, "not run: scripts/test/setup.ts failed");
  await starting;
  try {
    await within(fileTimeoutMs, servers?.teardown());
  } catch (error) {
    fail("scripts/test/setup.ts, teardown", describeError(error));
  }
  writeDurations(root, durations);
}

async function main(names: ReadonlyArray<string>, interrupted: AbortSignal): Promise<number> {
  const limits = readLimits();
  const { selected, unmatched } = selectTests(findTests(root), names);
  for (const name of unmatched) fail(name, "there is no *.test.ts file with this path or below it");
  await runAll(selected, limits, interrupted);
  if (total.passed + total.failed === 0) fail(root, "nothing ran");

  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
  const last = `\n${total.passed} passed, ${total.failed} failed${skipped}\n`;
  await new Promise((resolve) => process.stdout.write(last, resolve));
  return total.failed > 0 ? EXIT_FAILED : 0;
}

const code = await runCommand({
  name: "npm test",
  about: "Runs all tests, or some, such as: npm test -- core adapters/koa",
  arguments: { "[PATH...]": "Folders and test files" },
  sections: {
    Environment: [
      ["TEST_FILE_TIMEOUT_MS", "A file that takes longer is killed and fails (default 300000)"],
      ["TEST_PATIENCE_MS", "How long a test waits for something to happen (default 60000)"],
      ["TEST_WORKERS", "Files that run at the same time (default: the number of cores, at most 4)"],
      ["CI=true", "A skipped suite counts as a failure"],
    ],
  },
  run: (_, names, interrupted) => main(names, interrupted),
  onInterrupt: "stopping the servers. Interrupt again to stop immediately.",
  explain: describeError,
});
// Even if the event loop is not empty: a leaked handle of setup.ts must not hang the run.
process.exit(code);
