import type { SkippedSuite } from "./skip.ts";

/** What the process that ran one test file says about it. */
export interface FileReport {
  passed: number;
  failed: number;
  /** A text for each thing that went wrong, with assertion diffs and stacks. */
  details: string[];
  skipped: SkippedSuite[];
}

/**
 * One line of JSON on the report pipe: the test that starts now, why one has failed just now (for a process that does not
 * live to report at its end), or the report at the end.
 */
export type ReportLine = { running: string } | { failure: string } | { report: FileReport };

/** The file descriptor of the report pipe; 0 to 2 stay free for what the tests print. */
export const REPORT_FD = 3;
