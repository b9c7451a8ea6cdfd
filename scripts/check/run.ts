/**
 * The gate, `npm run check`: types, lint, format, unused code, architecture, the lock file and known
 * vulnerabilities of dependencies. All of them run even if one fails; what failed is told in detail, what passed in one line.
 */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";

import { noMore, runCommandLine } from "../../adapters/terminal/command_line.ts";
import { messageOf } from "../../db/errors.ts";
import { checkArchitecture } from "./architecture.ts";
import { auditDependencies } from "./audit.ts";
import { checkEngines } from "./engines.ts";
import { checkLockFile } from "./lock_file.ts";
import { formatProblem } from "./problem.ts";
import { readTree } from "./tree.ts";

const USAGE = `Usage: npm run check

Checks types, lint, format, unused code, the architecture and known vulnerabilities of dependencies, all at once,
and exits 1 if any fails.

  --help  show this text
`;

/** Runs a check; answers what is wrong, or "" if nothing is, or why it cannot be told. */
type Check = () => Promise<string | { readonly skipped: string }>;

/** Runs a tool of node_modules/.bin; npm puts that folder on the PATH. */
function tool(command: string, ...args: string[]): Check {
  return async () => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    const exited = new Promise<string>((resolve) => {
      child.on("error", (error) => resolve(`${error.message}: run npm ci, and this through npm`));
      child.on("exit", (code, signal) => resolve(code === 0 ? "" : `exit ${code ?? signal}`));
    });
    const [out, err, failure] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
    return failure === "" ? "" : `${out}${err}${command}: ${failure}`;
  };
}

/** The oldest Node that npm may run on here; the programs run on the one that it installs. */
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
  // Offline, and where a mirror of the registry knows of no advisories, the gate passes without it.
  "known vulnerabilities": async () => {
    const audit = await auditDependencies();
    return audit._tag === "Answered" ? audit.problems : { skipped: audit.reason };
  },
};

/** What was left out, and why. */
const skipped: string[] = [];

const started = performance.now();
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

const checkAll = async (): Promise<number> => {
  let failed = false;
  // All at once: together they take little longer than the slowest.
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
  // Last, so that nobody overlooks it.
  for (const each of skipped) console.log(each);
  return failed ? 1 : 0;
};

process.exitCode = await runCommandLine({
  usage: USAGE,
  options: {},
  run: (_, positionals) => {
    noMore(positionals);
    return checkAll();
  },
  explain: messageOf,
});
