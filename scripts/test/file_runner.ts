import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

import { type FileReport, REPORT_FD, type ReportLine } from "./file_report.ts";

export interface FileResult extends FileReport {
  file: string;
  /** What the file's process printed on stdout and stderr. */
  output: string;
  durationMs: number;
}

export interface FileRunOptions {
  root: string;
  env: NodeJS.ProcessEnv;
  timeoutMs: number;
  /** Ends the run early: the process and its descendants are killed. */
  signal: AbortSignal;
}

/** After the process is gone, a descendant may still hold its pipes: wait for the rest no longer than this. */
const DRAIN_MS = 500;

const PROCESS_SCRIPT = fileURLToPath(new URL("./file_process.ts", import.meta.url));

/**
 * Runs one test file in a Node process of its own: globals, open handles and crashes of one file
 * cannot touch another, and a file that hangs can be killed and named. Never rejects.
 */
export async function runTestFile(file: string, options: FileRunOptions): Promise<FileResult> {
  const started = performance.now();
  const child = spawn(process.execPath, [PROCESS_SCRIPT, `${options.root}/${file}`], {
    cwd: options.root,
    env: options.env,
    // A process group of its own, so that what the tests started is killed with it.
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const killGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // ESRCH: the whole group is gone already.
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
  // Who was killed could not report: what had failed until then is the reason, or a trace of it.
  const early = { passed: 0, failed: failures.length, details: failures, skipped: [] };
  const result: FileReport = report ?? early;
  if (timedOut) {
    result.failed += 1;
    result.details.push(
      `hung: killed after ${options.timeoutMs / 1000} s, while: ${running}\n` +
        "(that is how long a file may take; TEST_FILE_TIMEOUT_MS sets another limit)",
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

/** A line as it was written; undefined for the beginning of one, whose process was killed in the middle of it. */
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
