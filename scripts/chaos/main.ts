import {
  decimalNumber,
  EXIT_FAILED,
  EXIT_INTERRUPTED,
  type OptionValues,
  runCommandLine,
  shown,
  UsageError,
  wholeNumber,
} from "../../adapters/terminal/command_line.ts";
import { messageOf } from "../../db/errors.ts";
import { describeMachine } from "../bench/report.ts";
import { makeProgress } from "../terminal/progress.ts";
import { makeCleanups } from "./cleanups.ts";
import { tableHead, tableRow, totalLine } from "./report.ts";
import { runScenarios } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/all.ts";

const USAGE = `Usage: npm run chaos -- [SCENARIO...] [--minutes N] [--seed N]

Runs the service as separate processes on a Postgres and a Redis of its own, sends events, breaks things
while it does, and then holds the log, the read models and the summaries against every 202 that was given.
Exits 1 when an event is lost, counted twice or differs. docs/reliability.md says how it works.
Without a SCENARIO all are played.

  --minutes N      how long things are broken, in all (default 5); starting, coming to rest and judging
                   come on top
  --seed N         repeats the random choices of another run
  --list           names the scenarios
  --help           show this text
`;

const SEEDS = 1_000_000;

const OPTIONS = {
  minutes: { type: "string", default: "5" },
  seed: { type: "string", default: String(Date.now() % SEEDS) },
  list: { type: "boolean", default: false },
} as const;

const MINUTES_MIN = 0.01;
const MINUTES_MAX = 100_000;

/** More than two stages have, with a spare of each role. */
const PROCESSES_MAX = 32;

const main = async (
  values: OptionValues<typeof OPTIONS>,
  positionals: ReadonlyArray<string>,
): Promise<number> => {
  if (values.list) {
    for (const { name, about } of SCENARIOS) process.stdout.write(`${name.padEnd(34)} ${about}\n`);
    return 0;
  }
  const minutes = decimalNumber("--minutes", values.minutes, {
    min: MINUTES_MIN,
    max: MINUTES_MAX,
  });
  const seed = wholeNumber("--seed", values.seed, { min: 0, max: Number.MAX_SAFE_INTEGER });
  const unknown = positionals.find((asked) => !SCENARIOS.some(({ name }) => name === asked));
  if (unknown !== undefined) {
    throw new UsageError(`There is no scenario ${shown(unknown)}; --list names them`);
  }
  const scenarios = SCENARIOS.filter(
    ({ name }) => positionals.length === 0 || positionals.includes(name),
  );
  return chaos(scenarios, minutes, seed);
};

const chaos = async (
  scenarios: ReadonlyArray<Scenario>,
  minutes: number,
  seed: number,
): Promise<number> => {
  const cleanups = makeCleanups();
  const progress = makeProgress(process.stdout);
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // Who asks a second time does not want to wait.
      if (interrupt.signal.aborted) process.exit(EXIT_INTERRUPTED);
      interrupt.abort();
      progress.print(`${signal}: stopping everything`);
      void cleanups.run().finally(() => process.exit(EXIT_INTERRUPTED));
    });
  }
  progress.print(`${minutes} minutes of faults, --seed ${seed}\n\n${tableHead()}`);
  // Each process that is started has a listener here, for the end of this one.
  process.setMaxListeners(PROCESSES_MAX);
  const started = performance.now();
  const faultsMs = minutes * 60_000;
  try {
    const { signal } = interrupt;
    const results = await runScenarios({ scenarios, seed, faultsMs, progress, cleanups, signal });
    const took = Math.round((performance.now() - started) / 60_000);
    const table = [tableHead(), ...results.map(tableRow)].join("\n");
    progress.print(`\n${describeMachine()}; --seed ${seed}, ${took} minutes in all\n\n${table}\n`);
    progress.print(totalLine(results));
    return results.some(({ failures }) => failures.length > 0) ? EXIT_FAILED : 0;
  } finally {
    await cleanups.run();
  }
};

const code = await runCommandLine({
  usage: USAGE,
  options: OPTIONS,
  run: main,
  explain: messageOf,
});
// A retry of something that is gone by now must not keep the process.
process.exit(code);
