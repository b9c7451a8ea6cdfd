/**
 * Stands in for `uvu` while the runner runs a test file. uvu cannot tell that `.run()` was forgotten,
 * that `.only` was left in a suite where it leaves nothing out, or what a hook threw, nor what the test
 * before it threw; this wrapper can.
 */
import * as uvu from "uvu";

import { describeError } from "./queue.ts";

const DEFAULT_SUITE = "(the default suite of uvu)";

interface TrackedSuite {
  name: string;
  /** Tests registered since the last call of `run()`. */
  waiting: number;
  runs: number;
  /** Whether `.only` or `.skip` was called, even where it changed nothing. */
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

/** Calls the listener with the reason as soon as a test or a hook has failed. */
export function onFailure(listener: (reason: string) => void): void {
  announceFailure = listener;
}

/** The comparison of expected and actual that uvu's assertions carry. */
const diffOf = (error: unknown): string =>
  error instanceof Error && "details" in error && typeof error.details === "string"
    ? `\n${error.details}`
    : "";

/** What tests and hooks threw so far but uvu did not print: an error of a hook, a cause, a tag without a message. */
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

/** What is wrong with the suites as they were registered, one sentence for each. */
export function registrationProblems(): string[] {
  return tracked.flatMap(({ name, waiting, runs, narrowed }) => {
    const problems: string[] = [];
    if (waiting > 0) {
      problems.push(`suite "${name}": .run() is missing, ${waiting} registered and never run`);
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
