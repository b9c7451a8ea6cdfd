import { suite } from "uvu";
import * as assert from "uvu/assert";

import { lineAt } from "./line.ts";

const test = suite("lineAt");

test("the first character is on line 1", () => {
  assert.is(lineAt("SELECT 1", 1), 1);
});

test("a character after a line break is on the next line", () => {
  assert.is(lineAt("a\nb\nc", 3), 2);
  assert.is(lineAt("a\nb\nc", 5), 3);
});

test("a line break itself belongs to the line that it ends", () => {
  assert.is(lineAt("a\nb", 2), 1);
});

test("an emoji counts as one character, as it does in Postgres", () => {
  assert.is(lineAt("😀\nb", 3), 2);
});

test.run();
