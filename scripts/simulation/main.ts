import {
  decimalNumber,
  EXIT_FAILED,
  noMore,
  type OptionValues,
  runCommandLine,
  shown,
  UsageError,
  wholeNumber,
} from "../../adapters/terminal/command_line.ts";
import { messageOf } from "../../db/errors.ts";
import { makeProgress } from "../terminal/progress.ts";
import { PLANTED_BUGS } from "./planted_bugs.ts";
import { describeFailure, runSeed } from "./run.ts";

const RUNS = 300;

const USAGE = `Usage: npm run simulate -- [--seed N] [--runs N | --minutes N] [--plant NAME]

Simulates the whole service in one process, in memory and on a clock of its own, while processes crash and
freeze, calls fail, answers get lost and events arrive twice. Then checks that every promise holds. A seed
decides everything: the same seed repeats a run to the last detail. The first run that breaks a promise is
printed with its seed and its history, and the exit code is 1.

  --seed N      the first seed (default: random); the next run uses N + 1
  --runs N      how many seeds to run (default: ${RUNS}, or 1 with --seed)
  --minutes N   run for this long instead
  --plant NAME  plant a bug, to see how it is found
  --list        list the bugs that can be planted
  --help        show this text
`;

const OPTIONS = {
  seed: { type: "string" },
  runs: { type: "string" },
  minutes: { type: "string" },
  plant: { type: "string" },
  list: { type: "boolean", default: false },
} as const;

/** Seeds are 32 bits wide, and a run of many must not leave them. */
const SEED_MAX = 2 ** 31;
const RUNS_MAX = 1_000_000_000;
const MINUTES = { min: 0.01, max: 100_000 };

const main = (
  values: OptionValues<typeof OPTIONS>,
  positionals: ReadonlyArray<string>,
): Promise<number> | number => {
  noMore(positionals);
  if (values.list) {
    for (const { name, title } of PLANTED_BUGS) {
      process.stdout.write(`${name.padEnd(24)} ${title}\n`);
    }
    return 0;
  }
  if (values.runs !== undefined && values.minutes !== undefined) {
    throw new UsageError("--runs and --minutes exclude each other");
  }
  const plant = PLANTED_BUGS.find(({ name }) => name === values.plant);
  if (values.plant !== undefined && plant === undefined) {
    throw new UsageError(`There is no bug ${shown(values.plant)}; --list names them`);
  }
  const first =
    values.seed === undefined
      ? Math.floor(Math.random() * SEED_MAX)
      : wholeNumber("--seed", values.seed, { min: 0, max: SEED_MAX });
  const minutes =
    values.minutes === undefined
      ? Number.POSITIVE_INFINITY
      : decimalNumber("--minutes", values.minutes, MINUTES);
  const runsDefault = Number.isFinite(minutes) ? RUNS_MAX : values.seed === undefined ? RUNS : 1;
  const runs =
    values.runs === undefined
      ? runsDefault
      : wholeNumber("--runs", values.runs, { min: 1, max: RUNS_MAX });
  return simulate(first, runs, minutes * 60_000, plant);
};

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

const code = await runCommandLine({
  usage: USAGE,
  options: OPTIONS,
  run: main,
  explain: messageOf,
});
process.exitCode = code;
