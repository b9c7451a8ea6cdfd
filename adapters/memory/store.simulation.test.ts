import { suite } from "uvu";
import * as assert from "uvu/assert";

import { PLANTED_ADMISSION } from "./simulation/planted_admission.fixture.ts";
import { PLANTED_BEFORE_LOG } from "./simulation/planted_before_log.fixture.ts";
import { PLANTED_BEHIND_LOG } from "./simulation/planted_behind_log.fixture.ts";
import { type Report, runSeed } from "./simulation/run_seed.fixture.ts";

const test = suite("simulation");

/** Each run looks at other worlds. `SIMULATION_SEED=123` looks at that one only. */
const REPEATED = process.env["SIMULATION_SEED"];

/** `SIMULATION_SEEDS=20000` looks at so many worlds, however long it takes. */
const ASKED = process.env["SIMULATION_SEEDS"];

/** How many worlds a run looks at unless asked: on a busy machine fewer, so that it does not get in the way. */
const SEEDS = 300;
const CPU_SECONDS_MAX = 11;

/** How many worlds a planted bug may live through before it must be caught. */
const PLANTED_SEEDS_MAX = 100;

const tell = ({ seed, conditions, trace, complaints }: Report): string =>
  [
    `seed ${seed}, conditions ${JSON.stringify(conditions, undefined, 2)}`,
    ...trace,
    "",
    ...complaints.map(({ rule, about }) => `BROKEN: ${rule}: ${about}`),
    "",
    `repeat it: SIMULATION_SEED=${seed} npm test -- adapters/memory/store.simulation.test.ts`,
  ].join("\n");

test("whatever dies, stalls, is refused, lost or comes twice: every accepted event counts, once", async () => {
  const first = REPEATED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(REPEATED);
  const seeds = REPEATED === undefined ? Number(ASKED ?? SEEDS) : 1;
  const begun = process.cpuUsage();
  for (let seed = first; seed < first + seeds; seed++) {
    const report = await runSeed(seed);
    if (report.complaints.length > 0) throw new Error(tell(report));
    const { user, system } = process.cpuUsage(begun);
    if (ASKED === undefined && (user + system) / 1e6 > CPU_SECONDS_MAX) break;
  }
});

test("the same seed is the same world, to the last line of its trace", async () => {
  for (const seed of [1, 2, 3]) {
    const [once, again] = [await runSeed(seed), await runSeed(seed)];
    assert.equal(once.trace, again.trace);
    assert.ok(once.trace.length > 20, `${once.trace.length} lines`);
  }
});

for (const planted of [...PLANTED_ADMISSION, ...PLANTED_BEFORE_LOG, ...PLANTED_BEHIND_LOG]) {
  test(`the simulation catches ${planted.title}`, async () => {
    for (let seed = 1; seed <= PLANTED_SEEDS_MAX; seed++) {
      const { complaints } = await runSeed(seed, planted);
      if (complaints.some(({ rule }) => rule === planted.breaks)) return;
    }
    assert.unreachable(`not in ${PLANTED_SEEDS_MAX} worlds`);
  });
}

test.run();
