import { EXIT_FAILED, EXIT_USAGE } from "../../adapters/terminal/command_line.ts";
import { messageOf } from "../../db/errors.ts";
import { findK6, installK6, K6_MISSING, runK6 } from "./k6.ts";
import { readScenarios } from "./scenarios.ts";
import { smoke } from "./smoke.ts";

const scenarios = readScenarios();

const USAGE = `Usage: npm run load -- SCENARIO [arguments of k6 run]
       npm run load -- smoke | install

Sends load to a running service with k6 and holds it to what it promises: how quick answers are, that next to none
fails, that they have the right shape, and how soon an accepted event is in the summary of its account. The exit
code is k6's: 99 when a promise was not kept.

${scenarios.map(({ name, about }) => `  ${name.padEnd(9)} ${about}`).join("\n")}

  smoke     all of them for a few seconds, against a service and a database of its own
  install   builds k6 with Go, where there is none

  BASE_URL          the service (default http://127.0.0.1:3000)
  API_KEY           a key with the scopes write and read for all accounts, where the service wants one
  DURATION_SECONDS  how long a run takes; each scenario has its own default
  RATE              how many times the usual load (default 1)
  POST_P99_MS, SUMMARY_P99_MS, VISIBLE_P99_MS
                    what is promised, in milliseconds (default 100, 50 and 1000)

docs/load-test.md says more.
`;

const main = async ([command, ...rest]: string[]): Promise<number> => {
  if (command === "--help" || command === "-h") {
    process.stdout.write(USAGE);
    return 0;
  }
  if (command === "install") {
    process.stdout.write(`${await installK6()}\n`);
    return 0;
  }
  const scenario = scenarios.find(({ name }) => name === command);
  if (command !== "smoke" && scenario === undefined) {
    const problem = command === undefined ? "Which scenario?" : `There is no scenario ${command}`;
    process.stderr.write(`${problem}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  const k6 = findK6();
  if (k6 === undefined) throw new Error(K6_MISSING);
  if (scenario !== undefined) return runK6(k6, ["run", ...rest, scenario.path]);
  const failed = await smoke(k6, scenarios);
  if (failed.length === 0) return 0;
  process.stderr.write(`\nFailed: ${failed.join(", ")}\n`);
  return EXIT_FAILED;
};

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = EXIT_FAILED;
}
