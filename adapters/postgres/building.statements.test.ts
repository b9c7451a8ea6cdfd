import { readdirSync, readFileSync } from "node:fs";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { present } from "../../core/invariant.ts";
import { READ_MODELS } from "../../core/projection/read_models.ts";
import { compileStep } from "./read_model_sql.ts";
import { sqlFile } from "./statement.ts";

const test = suite("statements on the live generation");

/** Statements that run only on a generation that is being built, which nothing else uses. */
const NEVER_ON_THE_LIVE_ONE = new Set(["forget_window.sql"]);

const statements = (): ReadonlyMap<string, string> => {
  const found = new Map([["compileStep", compileStep(READ_MODELS).text]]);
  for (const name of readdirSync(import.meta.dirname)) {
    if (!/^[^.]*\.sql$/.test(name) || NEVER_ON_THE_LIVE_ONE.has(name)) continue;
    const { text } = sqlFile(new URL(name, import.meta.url));
    found.set(name, text.replaceAll(/--.*/g, ""));
  }
  return found;
};

/** The bodies of the functions that read the live generation. */
const functions = (): ReadonlyMap<string, string> => {
  const folder = `${import.meta.dirname}/../../db/functions`;
  const found = new Map<string, string>();
  for (const name of ["advance_window.sql", "build_window.sql"]) {
    const text = readFileSync(`${folder}/${name}`, "utf8").replaceAll(/--.*/g, "");
    const [, body] = /\bbegin\b([^]*)\$\$/.exec(text) ?? [];
    found.set(name, present(body, `${name} has a body`));
  }
  return found;
};

// db/functions/flip_generation.sql relies on this and says why.
test("every statement on several tables names the checkpoints first, so that none sees parts of two generations", () => {
  let several = 0;
  for (const [name, text] of [...statements(), ...functions()]) {
    const tables = [...text.matchAll(/read_models\.(\w+)/g)].map(([, table]) => table);
    if (new Set(tables).size < 2) continue;
    several++;
    assert.is(tables[0], "checkpoints", name);
  }
  assert.ok(several >= 6, "too few such statements were found");
});

test.run();
