/**
 * The test runner, `npm test`: runs every `*.test.ts`, or those that the arguments name, each in a
 * process of its own, and ends with the line `N passed, N failed`.
 *
 * uvu's own runner exits 0 when a hook throws or when `.run()` was forgotten; see `queue.ts` and
 * `tracked_uvu.ts` for what is counted instead.
 */
import { availableParallelism } from "node:os";

import { EXIT_FAILED, runCommandLine, wholeNumber } from "../../adapters/terminal/command_line.ts";
import { longestFirst, readDurations, writeDurations } from "./durations.ts";
import { type FileResult, runTestFile } from "./file_runner.ts";
import { findTests, selectTests } from "./find_tests.ts";
import { type SharedServers, startSharedServers } from "./global_setup.ts";
import { printDetails, printResult } from "./print.ts";
import { describeError } from "./queue.ts";

const USAGE = `Usage: npm test -- [FOLDER or FILE...]

Runs all tests, or those of these folders and files, such as: npm test -- core adapters/koa

  TEST_FILE_TIMEOUT_MS   a file that takes longer is killed and fails (300000)
  TEST_PATIENCE_MS       how long a test waits for what should happen soon (60000)
  TEST_WORKERS           files at a time (the number of cores, at most 4)
  CI=true                a suite that is skipped counts as failed
  --help                 show this text
`;

/** Several times what the longest file takes on two idle processors, for machines that are slower, or busy. */
const FILE_TIMEOUT_MS = 300_000;
const WORKERS_MAX = 4;

/** A number in the environment, where 0 would let nothing run. */
const numberIn = (variable: string, byDefault: number, max: number): number =>
  wholeNumber(variable, process.env[variable] ?? String(byDefault), { min: 1, max });

interface Limits {
  readonly fileTimeoutMs: number;
  readonly workers: number;
}

/** @throws UsageError when a variable makes no sense */
const readLimits = (): Limits => ({
  fileTimeoutMs: numberIn("TEST_FILE_TIMEOUT_MS", FILE_TIMEOUT_MS, 86_400_000),
  workers: numberIn("TEST_WORKERS", Math.min(availableParallelism(), WORKERS_MAX), 1_000),
});

const root = process.cwd();
const interrupt = new AbortController();
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
  // Importing effect costs half a second cold. Coverage, though, is less exact for cached code.
  if (env["NODE_V8_COVERAGE"] === undefined) {
    env["NODE_COMPILE_CACHE"] ??= `${root}/node_modules/.cache/tidemark/compile`;
  }
  return env;
}

/** Core is pure: its tests need no server and run while the servers start. */
const needsServers = (file: string): boolean => !file.startsWith("core/");

/** The promise's result, or a rejection if it takes longer. */
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

async function runAll(files: string[], { fileTimeoutMs, workers }: Limits): Promise<void> {
  const durations = readDurations(root);
  const pending = longestFirst(files, durations);
  const env = childEnv();
  let servers: SharedServers | undefined;
  let serversFailed = false;
  const starting = files.some(needsServers)
    ? within(fileTimeoutMs, startSharedServers(root)).then(
        (started) => (servers = started),
        (error: unknown) => {
          serversFailed = true;
          fail("scripts/test/setup.ts", describeError(error));
        },
      )
    : undefined;

  const worker = async (): Promise<void> => {
    while (pending.length > 0 && !interrupt.signal.aborted) {
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
        signal: interrupt.signal,
      });
      if (interrupt.signal.aborted) return;
      durations[file] = result.durationMs;
      record(result);
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  if (interrupt.signal.aborted) fail("interrupted", "the tests that were still to run did not run");
  else for (const file of pending) fail(file, "not run: scripts/test/setup.ts failed");
  await starting;
  try {
    await within(fileTimeoutMs, servers?.teardown());
  } catch (error) {
    fail("scripts/test/setup.ts, teardown", describeError(error));
  }
  writeDurations(root, durations);
}

async function main(names: ReadonlyArray<string>): Promise<number> {
  const limits = readLimits();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // Who asks a second time does not want to wait for the teardown.
      if (interrupt.signal.aborted) process.exit(EXIT_FAILED);
      interrupt.abort();
    });
  }
  const { selected, unmatched } = selectTests(findTests(root), names);
  for (const name of unmatched) fail(name, "no *.test.ts file of this name or below it");
  await runAll(selected, limits);
  if (total.passed + total.failed === 0) fail(root, "nothing ran");

  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
  const last = `\n${total.passed} passed, ${total.failed} failed${skipped}\n`;
  await new Promise((resolve) => process.stdout.write(last, resolve));
  return total.failed > 0 ? EXIT_FAILED : 0;
}

const code = await runCommandLine({
  usage: USAGE,
  options: {},
  run: (_, names) => main(names),
  explain: describeError,
});
// Not when the loop is empty: a handle that setup.ts leaked must not hang the run.
process.exit(code);
