import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { PLANTED_BUGS } from "./planted_bugs.ts";

const test = suite("npm run simulate");

const simulate = (...args: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [fileURLToPath(new URL("main.ts", import.meta.url)), ...args], {
    encoding: "utf8",
  });

test("--list names every bug that can be planted, each once", () => {
  const { status, stdout } = simulate("--list");
  assert.is(status, 0);
  const names = stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.split(" ")[0]);
  assert.equal(
    names,
    PLANTED_BUGS.map(({ name }) => name),
  );
  assert.is(new Set(names).size, names.length);
});

test("runs that break no promise exit with 0", () => {
  const { status, stdout } = simulate("--seed", "1", "--runs", "2");
  assert.is(status, 0);
  assert.match(stdout, /^2 runs without a broken promise, from seed 1 on, in [\d.]+ s\n$/);
});

test("a broken promise is printed with its seed and history, and exits with 1", () => {
  const { status, stdout } = simulate("--seed", "1", "--runs", "100", "--plant", "fails-open");
  assert.is(status, 1);
  assert.match(stdout, /^seed \d+, conditions \{\n/);
  assert.match(stdout, /\n +\d+\.\d{3} a\.1 +starts, worker, projector\n/);
  assert.match(stdout, /\nBROKEN: nothing is accepted while the backlog is unknown: /);
  const [, seed] = /npm run simulate -- --seed (\d+) --plant fails-open\n$/.exec(stdout) ?? [];
  const again = simulate("--seed", seed ?? "", "--plant", "fails-open");
  assert.is(again.stdout, stdout);
});

test("invalid arguments are refused", () => {
  for (const [args, sentence] of [
    [["--seed", "x"], /^--seed must be a whole number from 0 to \d+, not x\./],
    [["--runs", "0"], /^--runs must be a whole number from 1 to \d+, not 0\./],
    [["--minutes", "0"], /^--minutes must be a number from 0\.01 to 100000, not 0\./],
    [["--runs", "1", "--minutes", "1"], /^Use --runs or --minutes, not both\./],
    [["--plant", "nothing"], /^Unknown bug nothing; --list shows all bugs\./],
  ] as const) {
    const { status, stderr, stdout } = simulate(...args);
    assert.equal([status, stdout], [2, ""], args.join(" "));
    assert.match(stderr, sentence);
  }
});

test.run();
