import {
  decimalNumber,
  type OptionValues,
  runCommandLine,
  shown,
  UsageError,
  wholeNumber,
} from "../../adapters/terminal/command_line.ts";
import { messageOf } from "../../db/errors.ts";
import { setup } from "../test/setup.ts";
import { breakdownCases } from "./breakdown.ts";
import type { Case, CaseOptions } from "./case.ts";
import { floodCases } from "./flood.ts";
import { ingestCases } from "./ingest.ts";
import { limitCases } from "./limits.ts";
import { readCases } from "./reads.ts";
import { rebuildCases } from "./rebuild.ts";
import {
  assertWritable,
  describeMachine,
  type Figure,
  printFigures,
  writeFigures,
} from "./report.ts";
import { seedCases } from "./seed.ts";
import { sizeCases } from "./size.ts";
import { startCases } from "./start.ts";

const CASES: ReadonlyArray<Case> = [
  ...ingestCases,
  ...seedCases,
  ...sizeCases,
  ...readCases,
  ...limitCases,
  ...floodCases,
  ...rebuildCases,
  ...startCases,
  ...breakdownCases,
];

const USAGE = `Usage: npm run bench -- [CASE...] [--runs N] [--scale F] [--json FILE]

Starts a Postgres and the processes that it needs, measures each case several times in turn with its
reference, and prints medians as soon as a case is done. Run it on a machine that does nothing else.
Without a CASE all are measured; the first part of a name stands for all that begin with it.

${CASES.map(({ name, about }) => `  ${name.padEnd(20)} ${about}`).join("\n")}

  --runs N         how often each case is measured (default 5)
  --scale F        a share of the events, for a quick look (default 1); goals are for 1
  --json FILE      where the figures go as JSON (default bench.json)
  --help           show this text
`;

const OPTIONS = {
  runs: { type: "string", default: "5" },
  scale: { type: "string", default: "1" },
  json: { type: "string", default: "bench.json" },
} as const;

const RUNS_MAX = 1_000;
const SCALE_MIN = 0.000_001;
const SCALE_MAX = 100;

const main = async (
  values: OptionValues<typeof OPTIONS>,
  positionals: ReadonlyArray<string>,
): Promise<number> => {
  const options = {
    runs: wholeNumber("--runs", values.runs, { min: 1, max: RUNS_MAX }),
    scale: decimalNumber("--scale", values.scale, { min: SCALE_MIN, max: SCALE_MAX }),
    say,
  };
  const unknown = positionals.find((asked) => !CASES.some(({ name }) => isAsked(name, [asked])));
  if (unknown !== undefined)
    throw new UsageError(`There is no case ${shown(unknown)}; --help names them`);
  await assertWritable(values.json);
  const chosen = CASES.filter(({ name }) => positionals.length === 0 || isAsked(name, positionals));
  await measure(chosen, options, values.json);
  return 0;
};

/** So that a case can ask what statements took. */
const SERVER = { shared_preload_libraries: "pg_stat_statements" };

/** Whether a case is named, or a part that its name begins with. */
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

process.exitCode = await runCommandLine({
  usage: USAGE,
  options: OPTIONS,
  run: main,
  explain: messageOf,
});
