import { readdirSync, readFileSync } from "node:fs";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { READ_MODELS } from "../../core/projection/read_models.ts";
import { compileStep } from "./compile_step.ts";

const test = suite("statements on the live generation");

/** It runs on a generation that nobody else uses yet. */
const NEVER_ON_THE_LIVE_ONE = new Set(["forget_window.sql"]);

const statements = (): ReadonlyMap<string, string> => {
  const found = new Map([["compileStep", compileStep(READ_MODELS).text]]);
  for (const name of readdirSync(import.meta.dirname)) {
    if (!name.endsWith(".sql") || NEVER_ON_THE_LIVE_ONE.has(name)) continue;
    const text = readFileSync(`${import.meta.dirname}/${name}`, "utf8");
    found.set(name, text.replaceAll(/--.*/g, ""));
  }
  return found;
};

/** What the functions of the live generation do, as the last migration that is about each leaves them. */
const functions = (): ReadonlyMap<string, string> => {
  const folder = `${import.meta.dirname}/../../db/migrations`;
  const found = new Map<string, string>();
  for (const name of readdirSync(folder).toSorted()) {
    const text = readFileSync(`${folder}/${name}`, "utf8").replaceAll(/--.*/g, "");
    const bodies = text.matchAll(/function read_models\.(\w+)[^$]*\$\$[^$]*\bbegin\b([^$]*)\$\$/g);
    for (const [, called = "", body = ""] of bodies) {
      // What it calls is no table.
      found.set(called, body.replaceAll(/read_models\.\w+\s*\(\s*p_/g, ""));
    }
  }
  return found;
};

// tidemark.flip_generation relies on it: db/migrations/0011_generations.sql says why.
test("each that is on several tables names the checkpoints first, so that none sees a part of two generations", () => {
  let several = 0;
  for (const [name, text] of [...statements(), ...functions()]) {
    const tables = [...text.matchAll(/read_models\.(\w+)/g)].map(([, table]) => table);
    if (new Set(tables).size < 2) continue;
    several++;
    assert.is(tables[0], "checkpoints", name);
  }
  assert.ok(several >= 6, "there are such statements");
});

test.run();
