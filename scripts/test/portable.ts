/**
 * `npm run test:portable`: runs the tests of core/ on Node, Deno and Bun, from the same files and
 * node_modules. Deno and Bun come from the npm registry through npx. Their versions are pinned only
 * here.
 */
import { EXIT_FAILED, runCommand } from "../../adapters/terminal/command_line.ts";
import { runProgram } from "./run_program.ts";
import { findTests, selectTests } from "./test_files.ts";

const DENO = "deno@2.9.6";
const BUN = "bun@1.4.5";

/** Both packages need their install script, which the configuration of npm can forbid. */
const npx = (name: string, version: string): string[] => [
  "npx",
  "--yes",
  "--ignore-scripts=false",
  `--allow-scripts=${name}`,
  version,
];

/** The variables that uvu reads for colours; fast-check and effect read none. */
const COLOUR_VARIABLES = "FORCE_COLOR,NODE_DISABLE_COLORS,NO_COLOR,TERM";

const DENO_FLAGS = [
  "--quiet",
  "--no-prompt",
  "--no-lock",
  "--no-remote",
  "--node-modules-dir=manual",
  "--allow-read=core,scripts/test,node_modules",
  `--allow-env=${COLOUR_VARIABLES}`,
];

const RUNTIMES: Record<string, string[]> = {
  node: [process.execPath],
  deno: [...npx("deno", DENO), "run", ...DENO_FLAGS],
  bun: [...npx("bun", BUN), "run", "--no-install"],
};

const TIMEOUT_MS = Number(process.env["TEST_PORTABLE_TIMEOUT_MS"] ?? 1_200_000);

interface Count {
  passed: number;
  failed: number;
  output: string;
}

/** Runs the files on one runtime. Without the last line `N passed, N failed` the run failed. */
async function runOn([command = "", ...args]: string[], files: string[]): Promise<Count> {
  const { code, out, err } = await runProgram(
    command,
    [...args, "scripts/test/portable_process.ts", ...files],
    { env: { NO_COLOR: "1" }, timeoutMs: TIMEOUT_MS },
  );
  const output = out + err;
  if (code === -1) {
    const limit = `after ${TIMEOUT_MS / 1_000} s (TEST_PORTABLE_TIMEOUT_MS sets another limit)`;
    return { passed: 0, failed: 1, output: `${output}\nhung: killed ${limit}` };
  }
  const count = /^(\d+) passed, (\d+) failed$/m.exec(output);
  if (count === null) return { passed: 0, failed: 1, output };
  return { passed: Number(count[1]), failed: Number(count[2]), output };
}

const runEverywhere = async (): Promise<number> => {
  const { selected } = selectTests(findTests(process.cwd()), ["core"]);
  let code = 0;
  const counts = await Promise.all(
    Object.entries(RUNTIMES).map(async ([name, command]) => ({
      name,
      ...(await runOn(command, selected)),
    })),
  );
  const expected = counts.find(({ name }) => name === "node")?.passed;
  for (const { name, passed, failed, output } of counts) {
    console.log(`${name}: ${passed} passed, ${failed} failed`);
    if (failed > 0 || passed !== expected || passed === 0) {
      code = EXIT_FAILED;
      if (passed !== expected) console.log(`${name} must pass ${expected} tests, as node does`);
      console.log(output);
    }
  }
  return code;
};

process.exitCode = await runCommand({
  name: "npm run test:portable",
  about:
    "Runs the tests of core/ on Node, Deno and Bun, which npx downloads. Exits with 1 if a test " +
    "fails, or if a runtime runs fewer tests than Node.",
  sections: {
    Environment: [["TEST_PORTABLE_TIMEOUT_MS", "Time limit for each runtime (default 1200000)"]],
  },
  run: runEverywhere,
});
