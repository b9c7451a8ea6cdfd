import { readFileSync, writeFileSync } from "node:fs";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { READ_MODELS } from "../../core/projection/read_models.ts";
import {
  compileCompare,
  compileFold,
  compileStep,
  compileVerify,
  compileVerifyWindows,
} from "./read_model_sql.ts";

const test = suite("the SQL that read models compile to");

const SNAPSHOT = new URL("read_model_sql.snapshot.sql", import.meta.url);
const UPDATE = "UPDATE_SNAPSHOTS=1 npm test -- adapters/postgres/read_model_sql.test.ts";

/** Every statement by what it does, for shard 3 at position 1000 where a text contains them. */
const compiled = (): string => {
  const statements = [
    ["step", compileStep(READ_MODELS).text],
    ...READ_MODELS.flatMap((model) => [
      [`fold the first range into ${model.name}`, compileFold(model, "first").text],
      [`fold a later range into ${model.name}`, compileFold(model, "later").text],
      [`compare ${model.name} with generation 2`, compileCompare(model, 2).text],
      [`verify ${model.name}`, compileVerify(model, 3, 1_000).text],
    ]),
    ["verify window_types", compileVerifyWindows("window_types", 3, 1_000).text],
    ["verify window_users", compileVerifyWindows("window_users", 3, 1_000).text],
  ];
  return `-- Written by: ${UPDATE}\n${statements.map(([name, text]) => `\n-- ${name}${text};\n`).join("")}`;
};

test(`is that of the snapshot, which ${UPDATE} updates`, () => {
  if (process.env["UPDATE_SNAPSHOTS"] === "1") writeFileSync(SNAPSHOT, compiled());
  assert.fixture(compiled(), readFileSync(SNAPSHOT, "utf8"));
});

test.run();
