import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

import type { SkippedSuite } from "./skip.ts";

/** The report of the process that ran a test file. */
export interface FileReport {
  passed: number;
  failed: number;
  /** A text for each failure, with assertion diffs and stacks. */
  details: string[];
  skipped: SkippedSuite[];
}

/**
 * A line of JSON on the report pipe: the test that starts, a failure (in case the process does not
 * live to report it), or the report at the end.
 */
export type ReportLine = { running: string } | { failure: string } | { report: FileReport };

export interface FileResult extends FileReport {
  file: string;
  /** The output of the process. */
  output: string;
  durationMs: number;
}

export interface FileRunOptions {
  root: string;
  env: NodeJS.ProcessEnv;
  timeoutMs: number;
  /** Kills the process and its descendants. */
  signal: AbortSignal;
}

/** How long to wait for the pipes, which descendants can keep open after the process has ended. */
const DRAIN_MS = 500;

/** The file descriptor of the report pipe. Tests print to 0 to 2. */
const REPORT_FD = 3;

const PROCESS_SCRIPT = fileURLToPath(new URL("./file_process.ts", import.meta.url));

/**
 * Runs a test file in a process of its own, so that its globals, open handles and crashes do not
 * affect others, and it can be killed if it hangs. Never rejects.
 */
export async function runTestFile(file: string, options: FileRunOptions): Promise<FileResult> {
  const started = performance.now();
  const child = spawn(
    process.execPath,
    [PROCESS_SCRIPT, `${options.root}/${file}`, `${REPORT_FD}`],
    {
      cwd: options.root,
      env: options.env,
      // A process group of its own, so that processes of the tests are killed with it.
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "pipe"],
    },
  );
  const killGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // ESRCH: the group has ended already.
    }
  };

  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  let lines = "";
  const reports = child.stdio[REPORT_FD] as Readable;
  reports.setEncoding("utf8").on("data", (text: string) => (lines += text));

  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup();
  }, options.timeoutMs);
  options.signal.addEventListener("abort", killGroup, { once: true });
  if (options.signal.aborted) killGroup();

  const closed = once(child, "close");
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  clearTimeout(timer);
  options.signal.removeEventListener("abort", killGroup);
  killGroup();
  const drained = new AbortController();
  await Promise.race([closed, sleep(DRAIN_MS, drained.signal)]);
  drained.abort();

  const { report, running, failures } = parseLines(lines);
  // A killed process cannot report, but its failures until then hint at the reason.
  const early = { passed: 0, failed: failures.length, details: failures, skipped: [] };
  const result: FileReport = report ?? early;
  if (timedOut) {
    result.failed += 1;
    result.details.push(
      `hung: killed after ${options.timeoutMs / 1000} s, while: ${running}\n` +
        "(TEST_FILE_TIMEOUT_MS sets this limit)",
    );
  } else if (report === undefined) {
    result.failed += 1;
    result.details.push(`its process died of ${signal ?? `exit code ${code}`}, while: ${running}`);
  }
  return { file, output, durationMs: performance.now() - started, ...result };
}

function parseLines(lines: string): {
  report: FileReport | undefined;
  running: string;
  failures: string[];
} {
  let report: FileReport | undefined;
  const failures: string[] = [];
  let running = "starting";
  for (const text of lines.split("\n")) {
    if (text === "") continue;
    const line = parseLine(text);
    if (line === undefined) continue;
    if ("report" in line) report = line.report;
    else if ("failure" in line) failures.push(line.failure);
    else running = line.running;
  }
  return { report, running, failures };
}

/** Parses a line; undefined if the process was killed while it wrote it. */
function parseLine(text: string): ReportLine | undefined {
  try {
    return JSON.parse(text) as ReportLine;
  } catch {
    return undefined;
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  });
}
