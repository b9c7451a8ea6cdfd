/**
 * Runs one test file in this process, started by `file_runner.ts` with the file's path as argument:
 * `node scripts/test/file_process.ts /path/to/x.test.ts`, file descriptor 3 being the report pipe.
 * It must end by itself when the tests are over; whatever keeps it alive is reported as leaked.
 */
import { writeSync } from "node:fs";
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

import { type FileReport, REPORT_FD, type ReportLine } from "./file_report.ts";
import { describeError, openQueue, runQueue } from "./queue.ts";
import { skippedSuites } from "./skip.ts";

/** How long sockets and timers may take to close after the last test before they count as leaked. */
const LEAK_GRACE_MS = Number(process.env["TEST_LEAK_GRACE_MS"] ?? 3_000);

const report: FileReport = { passed: 0, failed: 0, details: [], skipped: skippedSuites };
let running = "importing the file";
let finished = false;

function fail(detail: string): void {
  report.failed += 1;
  report.details.push(detail);
}

// Written synchronously: the lines arrive even if the process then hangs in a loop or is killed.
function send(line: ReportLine): void {
  writeSync(REPORT_FD, `${JSON.stringify(line)}\n`);
}

process.on("unhandledRejection", (reason) => {
  fail(`unhandled rejection, seen while: ${running}\n${describeError(reason)}`);
});
process.on("uncaughtException", (error) => {
  fail(`uncaught exception, seen while: ${running}\n${describeError(error)}`);
});
process.on("exit", (code) => {
  if (!finished) {
    fail(
      `the process ended early (process.exit, or a promise that never settles) while: ${running}`,
    );
  } else if (code !== 0) {
    fail(`process.exitCode was left at ${code}`);
  }
  send({ report });
});

async function runFile(file: string): Promise<void> {
  const queue = openQueue();
  const trackedUrl = new URL("./tracked_uvu.ts", import.meta.url).href;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "uvu" && context.parentURL !== trackedUrl
        ? next(trackedUrl, context)
        : next(specifier, context),
  });
  const { droppedErrors, onFailure, onTestStart, registrationProblems } =
    await import("./tracked_uvu.ts");
  onFailure((failure) => send({ failure }));
  onTestStart((test) => {
    running = test;
    send({ running });
  });
  send({ running });
  try {
    await import(pathToFileURL(file).href);
  } catch (error) {
    fail(`the file cannot be imported\n${describeError(error)}`);
    return;
  }
  const problems = registrationProblems();
  // A file may hold nothing but an announced skip, and a forgotten run() is already told more precisely.
  if (queue.length > 0 || (problems.length === 0 && skippedSuites.length === 0)) {
    const outcome = await runQueue(queue);
    report.passed += outcome.passed;
    report.failed += outcome.failed;
    // First, since they are the cause of what uvu did print.
    report.details.push(...droppedErrors(outcome.details.join()), ...outcome.details);
  }
  for (const problem of problems) fail(problem);
}

await runFile(process.argv[2] ?? "");
finished = true;
running = "after the last test";
// Unreferenced, so it only ever fires if something else keeps the process alive.
setTimeout(() => {
  const kinds = process.getActiveResourcesInfo().filter((kind) => !kind.startsWith("PipeWrap"));
  fail(
    `still alive ${LEAK_GRACE_MS} ms after the last test; something was not closed: ` +
      (kinds.join(", ") || "of no known kind"),
  );
  process.exit();
}, LEAK_GRACE_MS).unref();
