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

test("what cannot be run is refused before anything is started", () => {
  const { status, stderr, stdout } = chaos("no-such-promise");
  assert.is(status, 2);
  assert.match(stderr, /There is no scenario no-such-promise.*Usage: npm run chaos/s);
  assert.is(stdout, "");
});

test("the docs list every scenario in its order", () => {
  const docs = readFileSync(new URL("../../docs/reliability.md", import.meta.url), "utf8");
  const [, list = ""] = /\| promise \| what is done \|\n(.*?)\n\n/s.exec(`${docs}\n\n`) ?? [];
  assert.equal(
    [...list.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name),
    SCENARIOS.map(({ name }) => name),
  );
});

test.run();
