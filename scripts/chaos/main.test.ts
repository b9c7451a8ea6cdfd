import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { SCENARIOS } from "./scenarios/all.ts";

const test = suite("npm run chaos");

const chaos = (...args: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [fileURLToPath(new URL("main.ts", import.meta.url)), ...args], {
    encoding: "utf8",
  });

test("--list names every scenario", () => {
  const { status, stdout } = chaos("--list");
  assert.is(status, 0);
  assert.equal(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" ")[0]),
    SCENARIOS.map(({ name }) => name),
  );
});

test("invalid arguments are refused before anything is started", () => {
  for (const [args, sentence] of [
    [["no-such-promise"], "Unknown scenario no-such-promise; --list shows all scenarios."],
    [["--nope"], "Unknown option --nope."],
    [["--minutes", "0"], "--minutes must be a number from 0.01 to 100000, not 0."],
    [["--minutes", "soon"], "--minutes must be a number from 0.01 to 100000, not soon."],
    [["--seed"], "--seed needs a value."],
    [["--seed", "1.5"], /^--seed must be a whole number from 0 to \d+, not 1\.5\./],
  ] as const) {
    const { status, stderr, stdout } = chaos(...args);
    assert.equal([status, stdout], [2, ""], args.join(" "));
    assert.match(stderr, sentence);
    assert.match(stderr, /\n\nUsage: npm run chaos -- [^\n]+\nAdd --help for details\.\n$/);
  }
});

test("the docs list every scenario in its order", () => {
  const docs = readFileSync(new URL("../../docs/reliability.md", import.meta.url), "utf8");
  const [, list = ""] = /\| promise \| what breaks \|\n(.*?)\n\n/s.exec(`${docs}\n\n`) ?? [];
  assert.equal(
    [...list.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name),
    SCENARIOS.map(({ name }) => name),
  );
});

test.run();
