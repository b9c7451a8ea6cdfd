import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { ATTACKS, MIX } from "./attacks/all.ts";

const test = suite("npm run attack");

const NAMES = [...ATTACKS, MIX].map(({ name }) => name);

const attack = (...args: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [fileURLToPath(new URL("main.ts", import.meta.url)), ...args], {
    encoding: "utf8",
  });

test("--list names every attack", () => {
  const { status, stdout } = attack("--list");
  assert.is(status, 0);
  const listed = stdout.trimEnd().split("\n");
  assert.equal(
    listed.map((line) => line.split(" ")[0]),
    NAMES,
  );
});

for (const [args, sentence] of [
  [["no-such-attack"], /^Unknown attack no-such-attack; --list shows all attacks\.\n/],
  [["--second", "5"], /^Unknown option --second\.\n/],
  [["--seconds"], /^--seconds needs a value\.\n/],
  [["--seconds", "0"], /^--seconds must be a number from 0\.1 to 3600, not 0\.\n/],
  [
    ["--whale-events", "many"],
    /^--whale-events must be a whole number from 1 to 100000000, not many\.\n/,
  ],
  [["--mix", "mix"], /^--mix needs attacks to play at the same time\.\n/],
  [["--json", "/proc/none/attack.json"], /^--json names a file that cannot be written: /],
] as const) {
  test(`${args.join(" ")} is refused before anything is started`, () => {
    const { status, stderr, stdout } = attack(...args);
    assert.equal([status, stdout], [2, ""]);
    assert.match(stderr, sentence);
    assert.match(stderr, /\n\nUsage: npm run attack -- [^\n]+\nAdd --help for details\.\n$/);
  });
}

test("the docs list every attack in its order", () => {
  const docs = readFileSync(new URL("../../docs/reliability.md", import.meta.url), "utf8");
  const [, list = ""] = /\| attack \| what it does \|\n(.*?)\n\n/s.exec(`${docs}\n\n`) ?? [];
  assert.equal(
    [...list.matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map(([, name]) => name),
    NAMES,
  );
});

test.run();
