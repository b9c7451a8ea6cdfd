/**
 * Runs one test file in this process: `node file_process.ts /path/to/x.test.ts REPORT_FD`.
 * `file_runner.ts` starts it. A handle that keeps the process alive after the tests is reported as
 * leaked.
 */
import { writeSync } from "node:fs";
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

import type { FileReport, ReportLine } from "./file_runner.ts";
import { describeError, openQueue, runQueue } from "./queue.ts";
import { skippedSuites } from "./skip.ts";

/** Sockets and timers that are open for longer after the last test count as leaked. */
const LEAK_GRACE_MS = Number(process.env["TEST_LEAK_GRACE_MS"] ?? 3_000);

const [, , file = "", reportFd] = process.argv;

const report: FileReport = { passed: 0, failed: 0, details: [], skipped: skippedSuites };
let running = "importing the file";
let finished = false;

function fail(detail: string): void {
  report.failed += 1;
  report.details.push(detail);
}

// Synchronous, so that lines arrive even if the process then hangs in a loop or is killed.
function send(line: ReportLine): void {
  writeSync(Number(reportFd), `${JSON.stringify(line)}\n`);
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

async function runFile(): Promise<void> {
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
  // A file can consist of a skipped suite. A forgotten run() is already reported more precisely.
  if (queue.length > 0 || (problems.length === 0 && skippedSuites.length === 0)) {
    const outcome = await runQueue(queue);
    report.passed += outcome.passed;
    report.failed += outcome.failed;
    // First, because they caused what uvu printed.
    report.details.push(...droppedErrors(outcome.details.join()), ...outcome.details);
  }
  for (const problem of problems) fail(problem);
}

await runFile();
finished = true;
running = "after the last test";
// Unreferenced: it fires only if something else keeps the process alive.
setTimeout(() => {
  const kinds = process.getActiveResourcesInfo().filter((kind) => !kind.startsWith("PipeWrap"));
  fail(
    `still alive ${LEAK_GRACE_MS} ms after the last test; something was not closed: ` +
      (kinds.join(", ") || "of an unknown kind"),
  );
  process.exit();
}, LEAK_GRACE_MS).unref();
