import {
  EXIT_FAILED,
  httpOrigin,
  noMore,
  runCommandLine,
  shown,
  UsageError,
} from "../../adapters/terminal/command_line.ts";
import { messageOf } from "../../db/errors.ts";
import { serviceUrl } from "../terminal/service_url.ts";
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

  BASE_URL          the service (default: at HOST and PORT, or else http://127.0.0.1:3000)
  API_KEY           a key with the scopes write and read for all accounts, where the service wants one
  DURATION_SECONDS  how long a run takes; each scenario has its own default
  RATE              how many times the usual load (default 1)
  POST_P99_MS, SUMMARY_P99_MS, VISIBLE_P99_MS
                    what is promised, in milliseconds (default 100, 50 and 1000)

docs/load-test.md says more.
`;

const NAMES = `${[...scenarios.map(({ name }) => name), "smoke"].join(", ")} or install`;

const main = async ([command, ...rest]: ReadonlyArray<string>): Promise<number> => {
  const scenario = scenarios.find(({ name }) => name === command);
  if (scenario !== undefined) {
    const BASE_URL =
      process.env["BASE_URL"] || httpOrigin("What HOST and PORT name", serviceUrl()).origin;
    return runK6(foundK6(), ["run", ...rest, scenario.path], { BASE_URL });
  }
  switch (command) {
    case "smoke":
      noMore(rest);
      return runSmoke();
    case "install":
      noMore(rest);
      process.stdout.write(`${await installK6()}\n`);
      return 0;
    case undefined:
      throw new UsageError(`There is no scenario given: ${NAMES}`);
    default:
      throw new UsageError(`There is no scenario ${shown(command)}: it must be ${NAMES}`);
  }
};

/** @throws when this machine has none */
const foundK6 = (): string => {
  const k6 = findK6();
  if (k6 === undefined) throw new Error(K6_MISSING);
  return k6;
};

const runSmoke = async (): Promise<number> => {
  const failed = await smoke(foundK6(), scenarios);
  if (failed.length === 0) return 0;
  process.stderr.write(`\nFailed: ${failed.join(", ")}\n`);
  return EXIT_FAILED;
};

// What is behind the scenario is for k6, options too.
const [first, ...others] = process.argv.slice(2);

process.exitCode = await runCommandLine(
  { usage: USAGE, options: {}, run: (_, positionals) => main(positionals), explain: messageOf },
  first === undefined ? [] : [first, "--", ...others],
);
