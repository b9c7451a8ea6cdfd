import {
  EXIT_FAILED,
  EXIT_INTERRUPTED,
  option,
  runCommand,
  shown,
  UsageError,
} from "../../adapters/terminal/command_line.ts";
import { messageOf } from "../../db/errors.ts";
import { describeMachine } from "../bench/report.ts";
import { makeProgress } from "../shared/progress.ts";
import { makeCleanups } from "./cleanups.ts";
import { tableHead, tableRow, totalLine } from "./report.ts";
import { runScenarios } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/all.ts";

const SEEDS = 1_000_000;

/** More than two stages have, with a spare of each role. */
const PROCESSES_MAX = 32;

const chaos = async (
  scenarios: ReadonlyArray<Scenario>,
  minutes: number,
  seed: number,
  signal: AbortSignal,
): Promise<number> => {
  const cleanups = makeCleanups();
  const progress = makeProgress(process.stdout);
  signal.addEventListener("abort", () => {
    void cleanups.run().finally(() => process.exit(EXIT_INTERRUPTED));
  });
  progress.print(`${minutes} minutes of faults, --seed ${seed}\n\n${tableHead()}`);
  // Each process that is started has a listener here, for the end of this one.
  process.setMaxListeners(PROCESSES_MAX);
  const started = performance.now();
  const faultsMs = minutes * 60_000;
  try {
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

const code = await runCommand({
  name: "npm run chaos",
  about:
    "Runs the service as separate processes on a Postgres and a Redis of its own, sends events, injects faults, and compares the " +
    "log, the read models and the summaries with every 202. Exits with 1 if an event is lost, counted twice or differs. " +
    "docs/reliability.md describes how it works.",
  arguments: { "[SCENARIO...]": "Scenarios to play (default: all)" },
  options: {
    minutes: option.decimal(
      "Duration of all faults together, without starting, recovering and judging",
      {
        min: 0.01,
        max: 100_000,
        default: 5,
      },
    ),
    seed: option.whole("Repeats the random choices of another run", {
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
    }),
    list: option.flag("List the scenarios"),
  },
  run: ({ minutes, seed = Date.now() % SEEDS, list }, asked, signal) => {
    if (list) {
      for (const { name, about } of SCENARIOS) {
        process.stdout.write(`${name.padEnd(34)} ${about}\n`);
      }
      return 0;
    }
    const unknown = asked.find((each) => !SCENARIOS.some(({ name }) => name === each));
    if (unknown !== undefined) {
      throw new UsageError(`Unknown scenario ${shown(unknown)}; --list shows all scenarios`);
    }
    const scenarios = SCENARIOS.filter(({ name }) => asked.length === 0 || asked.includes(name));
    return chaos(scenarios, minutes, seed, signal);
  },
  onInterrupt: "stopping everything.",
  explain: messageOf,
});
// Retries that are still running must not keep the process alive.
process.exit(code);
