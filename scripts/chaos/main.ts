import { parseArgs } from "node:util";

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
`;

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

const SEEDS = 1_000_000;

/** More than two stages have, with a spare of each role. */
const PROCESSES_MAX = 32;

const main = async (): Promise<number> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      minutes: { type: "string", default: "5" },
      seed: { type: "string", default: String(Date.now() % SEEDS) },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (values.list) {
    for (const { name, about } of SCENARIOS) process.stdout.write(`${name.padEnd(34)} ${about}\n`);
    return 0;
  }
  const minutes = Number(values.minutes);
  const seed = Number(values.seed);
  const unknown = positionals.find((asked) => !SCENARIOS.some(({ name }) => name === asked));
  if (unknown !== undefined || !(minutes > 0) || !Number.isSafeInteger(seed)) {
    const problem =
      unknown === undefined
        ? "--minutes is a number above 0, --seed a whole number"
        : `There is no scenario ${unknown}; --list names them`;
    process.stderr.write(`${problem}\n\n${USAGE}`);
    return EXIT_USAGE;
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

const code = await main();
// A retry of something that is gone by now must not keep the process.
process.exit(code);
