import {
  EXIT_FAILED,
  option,
  runCommand,
  shown,
  UsageError,
} from "../../adapters/terminal/command_line.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { makeProgress } from "../shared/progress.ts";
import { PLANTED_BUGS } from "./planted_bugs.ts";
import { describeFailure, runSeed } from "./run.ts";

const RUNS = 300;

/** Seeds have 32 bits, and many runs must not exceed them. */
const SEED_MAX = 2 ** 31;
const RUNS_MAX = 1_000_000_000;

const simulate = async (
  first: number,
  runs: number,
  withinMs: number,
  plant: (typeof PLANTED_BUGS)[number] | undefined,
): Promise<number> => {
  const progress = makeProgress(process.stdout);
  const start = performance.now();
  let done = 0;
  for (; done < runs && performance.now() - start < withinMs; done++) {
    const seed = first + done;
    progress.show(`${done} runs without a broken promise; seed ${seed}`);
    const report = await runSeed(seed, plant);
    if (report.violations.length > 0) {
      progress.print(describeFailure(report));
      const planted = plant === undefined ? "" : ` --plant ${plant.name}`;
      progress.print(`\nRepeat it with npm run simulate -- --seed ${seed}${planted}`);
      return EXIT_FAILED;
    }
  }
  const seconds = ((performance.now() - start) / 1_000).toFixed(1);
  progress.print(`${done} runs without a broken promise, from seed ${first} on, in ${seconds} s`);
  return 0;
};

process.exitCode = await runCommand({
  name: "npm run simulate",
  about:
    "Simulates the whole service in one process, in memory and with a simulated clock, while " +
    "processes crash and freeze, calls fail, answers get lost and events arrive twice, and " +
    "checks every promise. A seed decides everything: the same seed repeats a run exactly. " +
    "Prints the first run that breaks a promise with its seed and history, and exits with 1.",
  options: {
    seed: option.whole("The first seed (default: random); each further run uses the next one", {
      min: 0,
      max: SEED_MAX,
    }),
    runs: option.whole(`Number of seeds (default ${RUNS}, or 1 with --seed)`, {
      min: 1,
      max: RUNS_MAX,
    }),
    minutes: option.decimal("Run for this long instead", { min: 0.01, max: 100_000 }),
    plant: option.text("NAME", "Plant a bug, to see how it is found"),
    list: option.flag("List the bugs that can be planted"),
  },
  run: ({ seed, runs, minutes, plant, list }) => {
    if (list) {
      for (const { name, title } of PLANTED_BUGS) {
        process.stdout.write(`${name.padEnd(24)} ${title}\n`);
      }
      return 0;
    }
    if (runs !== undefined && minutes !== undefined) {
      throw new UsageError("Use --runs or --minutes, not both");
    }
    const bug = PLANTED_BUGS.find(({ name }) => name === plant);
    if (plant !== undefined && bug === undefined) {
      throw new UsageError(`Unknown bug ${shown(plant)}; --list shows all bugs`);
    }
    const first = seed ?? Math.floor(Math.random() * SEED_MAX);
    if (minutes !== undefined) return simulate(first, RUNS_MAX, minutes * MINUTE_MS, bug);
    return simulate(first, runs ?? (seed === undefined ? RUNS : 1), Number.POSITIVE_INFINITY, bug);
  },
});
