import { styleText } from "node:util";

import type { FileResult } from "./file_runner.ts";

type Style = Parameters<typeof styleText>[0];

/** Uses no colours if stdout is not a terminal or NO_COLOR is set. */
const paint = (style: Style, text: string): string =>
  styleText(style, text, { stream: process.stdout });

/** The frames between a test and Node, which are the same in every stack. */
const RUNNER_FRAME =
  /^ *at .*(node_modules\/uvu\/|scripts\/test\/(tracked_uvu|queue|file_process)\.ts).*\n?/gm;

const indent = (text: string): string => text.trimEnd().replace(/^(?=.)/gm, "    ");

/** Prints one line for a file, and its output and details if it failed. */
export function printResult(result: FileResult): void {
  const { file, passed, failed, durationMs, skipped } = result;
  const seconds = `${(durationMs / 1000).toFixed(2)} s`;
  if (failed === 0) {
    console.log(`${paint("green", "ok  ")}  ${file}  ${passed} passed  ${paint("gray", seconds)}`);
  }
  for (const { name, reason } of skipped) {
    console.log(paint(["bold", "yellow"], `SKIP  ${file}  ${name}: ${reason}`));
  }
  if (failed === 0) return;
  printDetails(`${file}  ${passed} passed, ${failed} failed  ${seconds}`, [
    ...(result.output.trim() === "" ? [] : [`it printed:\n${indent(result.output)}`]),
    ...result.details,
  ]);
}

/** Prints the title of a failure, and its details indented below it. */
export function printDetails(title: string, details: string[]): void {
  console.log(paint("red", `FAIL  ${title}`));
  for (const detail of details)
    console.log(`${indent(detail.replace(RUNNER_FRAME, "").replace(/^\n+/, ""))}\n`);
}
