import {
  EXIT_FAILED,
  option,
  runCommand,
  shown,
  UsageError,
} from "../../adapters/terminal/command_line.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { describeMachine } from "../bench/report.ts";
import { makeProgress } from "../shared/progress.ts";
import { withCleanups } from "../testbed/cleanups.ts";
import { tableHead, tableRow, totalLine } from "./report.ts";
import { runScenarios } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/all.ts";

const SEEDS = 1_000_000;

const chaos = (
  scenarios: ReadonlyArray<Scenario>,
  minutes: number,
  seed: number,
  interrupted: AbortSignal,
): Promise<number> =>
  withCleanups(interrupted, async (cleanups) => {
    const progress = makeProgress(process.stdout);
    progress.print(`${minutes} minutes of faults, --seed ${seed}\n\n${tableHead()}`);
    const started = performance.now();
    const faultsMs = minutes * MINUTE_MS;
    const run = { scenarios, seed, faultsMs, progress, cleanups, interrupted };
    const results = await runScenarios(run);
    const took = Math.round((performance.now() - started) / MINUTE_MS);
    const table = [tableHead(), ...results.map(tableRow)].join("\n");
    progress.print(
      `\n${describeMachine()}; --seed ${seed}, ${took} minutes in total\n\n${table}\n`,
    );
    progress.print(totalLine(results));
    return results.some(({ failures }) => failures.length > 0) ? EXIT_FAILED : 0;
  });

const code = await runCommand({
  name: "npm run chaos",
  about:
    "Runs the service as separate processes on a Postgres and a Redis of its own, sends events, " +
    "injects faults, and compares the log, the read models and the summaries with every 202. " +
    "Exits with 1 if an event is lost, counted twice or changed. docs/reliability.md describes " +
    "how it works.",
  arguments: { "[SCENARIO...]": "Scenarios to play (default: all)" },
  options: {
    minutes: option.decimal(
      "Duration of all faults together; starting, recovering and judging take longer",
      { min: 0.01, max: 100_000, default: 5 },
    ),
    seed: option.whole("Repeat the random choices of another run", {
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
    }),
    list: option.flag("List the scenarios"),
  },
  run: ({ minutes, seed = Date.now() % SEEDS, list }, asked, interrupted) => {
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
    return chaos(scenarios, minutes, seed, interrupted);
  },
  onInterrupt: "stopping everything.",
});
// Retries that are still running must not keep the process alive.
process.exit(code);
