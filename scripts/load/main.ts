import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { command, EXIT_FAILED, runCommands } from "../../adapters/terminal/command_line.ts";
import { serviceOrigin } from "../shared/service_url.ts";
import { findK6, installK6, runK6 } from "./k6.ts";
import { type Scenario, smoke } from "./smoke.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** Not a scenario, but code that the scenarios share. */
const SHARED = "tidemark.js";

/** The k6 scripts of this folder. Each begins with a comment that describes it. */
const scenarios: ReadonlyArray<Scenario> = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".js") && file !== SHARED)
  .toSorted()
  .map((file) => ({ name: file.slice(0, -".js".length), path: FOLDER + file }));

const firstCommentOf = (path: string): string => {
  const lines = readFileSync(path, "utf8").split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  return lines
    .slice(0, end)
    .map((line) => line.slice(2).trim())
    .join(" ");
};

const scenarioCommands = scenarios.map(({ name, path }) => [
  name,
  command({
    about: firstCommentOf(path),
    arguments: { "[ARG...]": "" },
    run: (_, args) => {
      const BASE_URL = process.env["BASE_URL"] || serviceOrigin(undefined).origin;
      return runK6(findK6(), ["run", ...args, path], { BASE_URL });
    },
  }),
]);

// Everything after the scenario belongs to k6, even options.
const [first, ...rest] = process.argv.slice(2);

process.exitCode = await runCommands(
  {
    name: "npm run load",
    about:
      "Sends load to a running service with k6, and checks latencies, failures, answers, and how " +
      "soon the summary of an account shows an accepted event. The exit code is that of k6: 99 " +
      "if a threshold was missed.",
    commands: {
      ...Object.fromEntries(scenarioCommands),
      smoke: command({
        about: "Runs each scenario for a few seconds against a service and database of its own",
        run: async () => {
          const failed = await smoke(findK6(), scenarios);
          if (failed.length === 0) return 0;
          process.stderr.write(`\nFailed: ${failed.join(", ")}\n`);
          return EXIT_FAILED;
        },
      }),
      install: command({
        about: "Builds k6 with Go, if this machine has no k6",
        run: async () => void process.stdout.write(`${await installK6()}\n`),
      }),
    },
    sections: {
      Environment: [
        ["BASE_URL", "The service (default: HOST and PORT, else http://127.0.0.1:3000)"],
        [
          "TIDEMARK_KEY",
          "An API key with the scopes write and read for all accounts, if the service needs one",
        ],
        ["DURATION_SECONDS", "Length of the run; each scenario has its own default"],
        ["RATE", "Multiplies the usual load (default 1)"],
        ["POST_P99_MS", "Threshold for POST /events (default 100)"],
        ["SUMMARY_P99_MS", "Threshold for summaries (default 50)"],
        ["VISIBLE_P99_MS", "Threshold for accepted events to be visible (default 1000)"],
      ],
    },
    notes: "More: docs/load-test.md",
  },
  first === undefined ? [] : [first, "--", ...rest],
);
