/**
 * Runs the suites that test files queued with uvu. Uses nothing beyond the language, so that the same
 * code counts the tests on Node, Deno and Bun.
 */

/** What `suite.run()` queues: uvu 0.5.6 answers [errors or true, passed, skipped, total]. */
type QueuedSuite = () => Promise<[string | true, number, number, number]>;

export interface Outcome {
  passed: number;
  failed: number;
  /** One readable text for each suite that failed, with the assertion diffs. */
  details: string[];
}

const HOOK_THREW = "tests did not run because a hook threw";

declare global {
  var UVU_DEFER: 1 | undefined;
  var UVU_QUEUE: QueuedSuite[][] | undefined;
  var UVU_INDEX: number | undefined;
}

/** Makes uvu queue what `run()` is called on instead of running it. Call it before uvu is first imported. */
export function openQueue(): QueuedSuite[] {
  const queue: QueuedSuite[] = [];
  globalThis.UVU_DEFER = 1;
  globalThis.UVU_QUEUE = [queue];
  globalThis.UVU_INDEX = 0;
  return queue;
}

/**
 * Runs and empties the queue, one suite after the other. What uvu itself lets pass counts as a failure
 * here: a hook that throws, a suite without a test, a file without a suite, a test that is left out.
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
      // uvu drops what a hook throws: all that is left of it are tests that neither passed nor failed.
      if (passed < total) fail(total - passed, errors === true ? HOOK_THREW : errors);
      if (total === 0) fail(1, "a suite has no test");
      if (skipped > 0) fail(1, `${skipped} left out by .only or .skip`);
    } catch (error) {
      fail(1, `an after hook threw\n${describeError(error)}`);
    }
  }
  return outcome;
}

/** The stack of an error with its causes, or the value itself if something else was thrown. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  const cause = error.cause === undefined ? "" : `\ncaused by ${describeError(error.cause)}`;
  return (error.stack ?? `${error.name}: ${error.message}`) + cause;
}
