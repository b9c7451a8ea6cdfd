import { suite } from "uvu";
import * as assert from "uvu/assert";

import { PLANTED_BUGS } from "./planted_bugs.ts";
import { describeFailure, runSeed } from "./run.ts";

const test = suite("simulation");

/** Every test run simulates new seeds; a busy machine simulates fewer. */
const SEEDS = 300;
const CPU_SECONDS_MAX = 11;

/** By then a planted bug must be found. */
const PLANTED_SEEDS_MAX = 100;

test("every accepted event is counted once, whatever crashes, stalls, fails or is repeated", async () => {
  const first = Math.floor(Math.random() * 2 ** 31);
  const begun = process.cpuUsage();
  for (let seed = first; seed < first + SEEDS; seed++) {
    const report = await runSeed(seed);
    if (report.violations.length > 0) {
      const repeat = `repeat it with npm run simulate -- --seed ${seed}`;
      throw new Error(`${describeFailure(report)}\n\n${repeat}`);
    }
    const { user, system } = process.cpuUsage(begun);
    if ((user + system) / 1e6 > CPU_SECONDS_MAX) break;
  }
});

test("the same seed gives the same history", async () => {
  for (const seed of [1, 2, 3]) {
    const [once, again] = [await runSeed(seed), await runSeed(seed)];
    assert.equal(once.history, again.history);
    assert.ok(once.history.length > 20, `${once.history.length} lines`);
  }
});

for (const planted of PLANTED_BUGS) {
  test(`the simulation finds ${planted.title}`, async () => {
    for (let seed = 1; seed <= PLANTED_SEEDS_MAX; seed++) {
      const { violations } = await runSeed(seed, planted);
      if (violations.some(({ rule }) => rule === planted.breaks)) return;
    }
    assert.unreachable(`not within ${PLANTED_SEEDS_MAX} seeds`);
  });
}

test.run();
