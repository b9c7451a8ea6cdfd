/** The gate, `npm run check`. All checks run even if one fails. */
import { readFile } from "node:fs/promises";

import { EXIT_FAILED, runCommand } from "../../adapters/terminal/command_line.ts";
import { messageOf } from "../../core/printable.ts";
import { runProgram } from "../test/run_program.ts";
import { checkArchitecture } from "./architecture.ts";
import { auditDependencies } from "./audit.ts";
import { checkEngines, checkLockFile } from "./packages.ts";
import { formatProblem, readTree } from "./tree.ts";

/** Runs a check, and returns what is wrong, "" if nothing is, or why it was skipped. */
type Check = () => Promise<string | { readonly skipped: string }>;

/** Runs a tool of node_modules/.bin, which npm puts on the PATH. */
function tool(command: string, ...args: string[]): Check {
  return async () => {
    try {
      const { code, out, err } = await runProgram(command, args);
      return code === 0 ? "" : `${out}${err}${command}: exit ${code}`;
    } catch (error) {
      return `${messageOf(error)}: run npm ci, and start this with npm run check`;
    }
  };
}

/** The oldest Node that npm itself may run on. The programs run on the Node that npm installs. */
const OLDEST_NODE = "20.19.0";

const CHECKS: Record<string, Check> = {
  types: tool("tsc", "-p", "tsconfig.json"),
  "types of core": tool("tsc", "-p", "core/tsconfig.json"),
  lint: tool("oxlint", "--type-aware", "--deny-warnings", "--report-unused-disable-directives"),
  format: tool("oxfmt", "--check"),
  "unused code": tool("knip", "--no-progress"),
  architecture: async () =>
    checkArchitecture(readTree(process.cwd())).map(formatProblem).join("\n"),
  "lock file": async () => {
    const lock = await readFile("package-lock.json", "utf8");
    const problems = [
      ...checkLockFile(lock, await readFile("package.json", "utf8")),
      ...checkEngines(lock, OLDEST_NODE),
    ];
    return problems.map(formatProblem).join("\n");
  },
  // Skipped offline, and with a mirror of the registry that has no advisories.
  "known vulnerabilities": auditDependencies,
};

/** Checks that were skipped, with the reasons. */
const skipped: string[] = [];

const started = performance.now();
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

const checkAll = async (): Promise<number> => {
  let failed = false;
  // Concurrently: together they take little longer than the slowest one.
  await Promise.all(
    Object.entries(CHECKS).map(async ([name, check]) => {
      const outcome = await check();
      const word = typeof outcome !== "string" ? "SKIP" : outcome === "" ? "ok  " : "FAIL";
      console.log(`${word}  ${name}  ${seconds(started)}`);
      if (typeof outcome !== "string") skipped.push(`${name} was NOT CHECKED: ${outcome.skipped}`);
      else if (outcome !== "") {
        console.log(`${outcome.trimEnd().replace(/^(?=.)/gm, "    ")}\n`);
        failed = true;
      }
    }),
  );
  console.log(failed ? "\ncheck failed" : `\nall checks passed in ${seconds(started)}`);
  // Last, where it is hard to overlook.
  for (const each of skipped) console.log(each);
  return failed ? EXIT_FAILED : 0;
};

process.exitCode = await runCommand({
  name: "npm run check",
  about:
    "Checks types, lint, format, unused code, the architecture, the lock file and known " +
    "vulnerabilities of dependencies, all at the same time. Exits with 1 if a check fails.",
  run: checkAll,
});
