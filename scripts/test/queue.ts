/** Runs the suites of uvu. Uses only the language, so that it runs on Node, Deno and Bun. */

/** What `suite.run()` queues: in uvu 0.5.6 it returns [errors or true, passed, skipped, total]. */
type QueuedSuite = () => Promise<[string | true, number, number, number]>;

export interface Outcome {
  passed: number;
  failed: number;
  /** A text for each failed suite, with assertion diffs. */
  details: string[];
}

const HOOK_THREW = "tests did not run because a hook threw";

declare global {
  var UVU_DEFER: 1 | undefined;
  var UVU_QUEUE: QueuedSuite[][] | undefined;
  var UVU_INDEX: number | undefined;
}

/** Makes `run()` of uvu queue suites instead of running them. Call it before importing uvu. */
export function openQueue(): QueuedSuite[] {
  const queue: QueuedSuite[] = [];
  globalThis.UVU_DEFER = 1;
  globalThis.UVU_QUEUE = [queue];
  globalThis.UVU_INDEX = 0;
  return queue;
}

/**
 * Runs and empties the queue. Counts as failures what uvu accepts: hooks that throw, suites without
 * tests, files without suites, and skipped tests.
 */
export async function runQueue(queue: QueuedSuite[]): Promise<Outcome> {
  const outcome: Outcome = { passed: 0, failed: 0, details: [] };
  const fail = (count: number, detail: string): void => {
    outcome.failed += count;
    outcome.details.push(detail);
  };
  if (queue.length === 0) fail(1, "no suite was run: is a call of .run() missing?");
  for (const suite of queue.splice(0)) {
    try {
      const [errors, passed, skipped, total] = await suite();
      outcome.passed += passed;
      // uvu drops the error of a hook: its only trace are tests that neither passed nor failed.
      if (passed < total) fail(total - passed, errors === true ? HOOK_THREW : errors);
      if (total === 0) fail(1, "a suite has no test");
      if (skipped > 0) fail(1, `${skipped} skipped with .only or .skip`);
    } catch (error) {
      fail(1, `an after hook threw\n${describeError(error)}`);
    }
  }
  return outcome;
}

/** The stack of an error and its causes, or another thrown value. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  const cause = error.cause === undefined ? "" : `\ncaused by ${describeError(error.cause)}`;
  return (error.stack ?? `${error.name}: ${error.message}`) + cause;
}
