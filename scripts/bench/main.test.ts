import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("npm run bench");

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

const run = (...args: ReadonlyArray<string>) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
  });
  return { code: status, out: stdout, err: stderr };
};

test("invalid arguments are refused before anything is started", () => {
  for (const [args, sentence] of [
    [["--nope"], /^Unknown option --nope\.\n/],
    [["no-such-case"], /^Unknown case no-such-case; --help lists all cases\.\n/],
    [["start", "--runs", "0"], /^--runs must be a whole number from 1 to 1000, not 0\.\n/],
    [["start", "--runs", "1.5"], /^--runs must be a whole number from 1 to 1000, not 1\.5\.\n/],
    [["start", "--scale", "x"], /^--scale must be a number from .* to 100, not x\.\n/],
    [
      ["start", "--json", "/no/such/folder/x.json"],
      /^--json names a file that cannot be written: /,
    ],
  ] as const) {
    const { code, out, err } = run(...args);
    assert.equal([code, out], [2, ""], args.join(" "));
    assert.match(err, sentence);
    assert.match(err, /\n\nUsage: npm run bench -- [^\n]+\nAdd --help for details\.\n$/);
  }
  const help = run("--help");
  assert.is(help.code, 0);
  assert.match(help.out, /^Usage: npm run bench[^]*ingest/);
});

test.run();
