/**
 * Replaces `uvu` while the runner runs a test file, to find what uvu does not report: a forgotten
 * `.run()`, an `.only` that skips nothing, the error of a hook, and the error of the test before
 * it.
 */
import * as uvu from "uvu";

import { describeError } from "./queue.ts";

const DEFAULT_SUITE = "(the default suite of uvu)";

interface TrackedSuite {
  name: string;
  /** Tests registered since the last call of `run()`. */
  waiting: number;
  runs: number;
  /** Whether `.only` or `.skip` was called, even if it changed nothing. */
  narrowed: boolean;
}

const tracked: TrackedSuite[] = [];
const thrown: { by: string; error: unknown }[] = [];
let announce: (test: string) => void = () => {};
let announceFailure: (reason: string) => void = () => {};

/** Calls the listener with "suite › test" as each test starts. */
export function onTestStart(listener: (test: string) => void): void {
  announce = listener;
}

/** Calls the listener with the reason when a test or a hook fails. */
export function onFailure(listener: (reason: string) => void): void {
  announceFailure = listener;
}

/** The diff of an assertion of uvu. */
const diffOf = (error: unknown): string =>
  error instanceof Error && "details" in error && typeof error.details === "string"
    ? `\n${error.details}`
    : "";

/** Errors that uvu did not print: errors of hooks, causes, and tags without a message. */
export function droppedErrors(printed: string): string[] {
  const isPrinted = (error: unknown): boolean => {
    if (!(error instanceof Error)) return printed.includes(String(error));
    const { message, cause } = error;
    return message !== "" && printed.includes(message) && (cause === undefined || isPrinted(cause));
  };
  return thrown
    .filter(({ error }) => !isPrinted(error))
    .map(({ by, error }) => `${by} threw\n${describeError(error)}`);
}

/** Problems of registered suites, one sentence each. */
export function registrationProblems(): string[] {
  return tracked.flatMap(({ name, waiting, runs, narrowed }) => {
    const problems: string[] = [];
    if (waiting > 0) {
      problems.push(`suite "${name}": .run() is missing, so ${waiting} registered tests never ran`);
    } else if (runs === 0 && name !== DEFAULT_SUITE) {
      problems.push(`suite "${name}" has no test and no .run()`);
    }
    if (narrowed) problems.push(`suite "${name}": .only or .skip was left in the code`);
    return problems;
  });
}

function track<T>(name: string, inner: uvu.Test<T>): uvu.Test<T> {
  const record: TrackedSuite = { name, waiting: 0, runs: 0, narrowed: false };
  tracked.push(record);
  const watched =
    (by: string, run: uvu.Callback<T>, isTest = false): uvu.Callback<T> =>
    async (context) => {
      const label = name === DEFAULT_SUITE ? by : `${name} › ${by}`;
      if (isTest) announce(label);
      try {
        await run(context);
      } catch (error) {
        thrown.push({ by: label, error });
        announceFailure(`${label} failed\n${describeError(error)}${diffOf(error)}`);
        throw error;
      }
    };
  type Run = uvu.Callback<T>;
  const outer = (title: string, run: Run): void => {
    record.waiting += 1;
    inner(title, watched(title, run, true));
  };
  return Object.assign(outer, {
    before: Object.assign((run: Run) => inner.before(watched("before", run)), {
      each: (run: Run) => inner.before.each(watched("before.each", run)),
    }),
    after: Object.assign((run: Run) => inner.after(watched("after", run)), {
      each: (run: Run) => inner.after.each(watched("after.each", run)),
    }),
    only(title: string, run: Run): void {
      record.waiting += 1;
      record.narrowed = true;
      inner.only(title, watched(title, run, true));
    },
    skip(): void {
      record.narrowed = true;
      inner.skip();
    },
    run(): void {
      record.waiting = 0;
      record.runs += 1;
      inner.run();
    },
  });
}

export function suite<T = uvu.Context>(name: string, context?: T): uvu.Test<T> {
  return track(name, uvu.suite(name, context));
}

export const test = track(DEFAULT_SUITE, uvu.suite());
export { exec } from "uvu";
