/**
 * Runs test files in this process, on Node, Deno or Bun, and ends with the line `N passed, N
 * failed`. `portable.ts` starts it. It uses no `node:` import, and of the APIs of a runtime only
 * `process`, which all three have.
 */
import { describeError, openQueue, runQueue } from "./queue.ts";

const queue = openQueue();
let passed = 0;
let failed = 0;

for (const file of process.argv.slice(2)) {
  try {
    await import(new URL(`../../${file}`, import.meta.url).href);
    const outcome = await runQueue(queue);
    passed += outcome.passed;
    failed += outcome.failed;
    for (const detail of outcome.details) console.log(`\nFAIL  ${file}\n${detail}`);
  } catch (error) {
    failed += 1;
    console.log(`\nFAIL  ${file} cannot be imported\n${describeError(error)}`);
  }
}

console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
