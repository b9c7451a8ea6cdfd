import { option, runCommand, shown, UsageError } from "../../adapters/terminal/command_line.ts";
import { setup } from "../test/setup.ts";
import { breakdownCases } from "./breakdown.ts";
import { ingestCases } from "./ingest.ts";
import { limitCases } from "./limits.ts";
import { readCases } from "./reads.ts";
import { rebuildCases } from "./rebuild.ts";
import {
  assertWritable,
  type Case,
  type CaseOptions,
  describeMachine,
  type Figure,
  printFigures,
  writeFigures,
} from "./report.ts";
import { seedCases } from "./seed.ts";
import { startCases } from "./start.ts";

const CASES: ReadonlyArray<Case> = [
  ...ingestCases,
  ...seedCases,
  ...readCases,
  ...limitCases,
  ...rebuildCases,
  ...startCases,
  ...breakdownCases,
];

const RUNS_MAX = 1_000;
const SCALE_MIN = 0.000_001;
const SCALE_MAX = 100;

/** For cases that measure the time of statements. */
const SERVER = { shared_preload_libraries: "pg_stat_statements" };

/** Whether the name of a case, or its first part, was asked for. */
const isAsked = (name: string, asked: ReadonlyArray<string>): boolean =>
  asked.some((part) => name === part || name.startsWith(`${part}.`));

const measure = async (
  cases: ReadonlyArray<Case>,
  options: CaseOptions,
  jsonPath: string,
): Promise<void> => {
  const { env, teardown } = await setup(SERVER);
  Object.assign(process.env, env);
  const figures: Figure[] = [];
  process.stdout.write(`${describeMachine()}\n`);
  try {
    for (const { name, run } of cases) {
      say(`${name}…`);
      const measured = await run(options);
      figures.push(...measured);
      printFigures(name, measured);
      await writeFigures(figures, jsonPath);
    }
  } finally {
    await teardown();
  }
  process.stdout.write(`\nAlso in ${jsonPath}\n`);
};

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

process.exitCode = await runCommand({
  name: "npm run bench",
  about:
    "Starts a Postgres and the processes that it needs, measures each case several times in turn " +
    "with its reference, and prints the medians of each case. Run it on an idle machine.",
  arguments: {
    "[CASE...]":
      "Cases to measure (default: all). The first part of a name selects all cases that begin " +
      "with it",
  },
  sections: { Cases: CASES.map(({ name, about }) => [name, about]) },
  options: {
    runs: option.whole("How often each case is measured", { min: 1, max: RUNS_MAX, default: 5 }),
    scale: option.decimal("Multiplies the number of events, for a quick look; goals assume 1", {
      min: SCALE_MIN,
      max: SCALE_MAX,
      default: 1,
    }),
    json: option.text("FILE", "Where to write the figures as JSON (default bench.json)"),
  },
  run: async ({ runs, scale, json = "bench.json" }, asked) => {
    const unknown = asked.find((part) => !CASES.some(({ name }) => isAsked(name, [part])));
    if (unknown !== undefined) {
      throw new UsageError(`Unknown case ${shown(unknown)}; --help lists all cases`);
    }
    await assertWritable(json);
    const chosen = CASES.filter(({ name }) => asked.length === 0 || isAsked(name, asked));
    await measure(chosen, { runs, scale, say }, json);
  },
});
