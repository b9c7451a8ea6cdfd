import { suite } from "uvu";
import * as assert from "uvu/assert";

import { EVENT_TYPE_PATTERN, EVENT_TYPES_DEFAULT, typeProblem } from "./rules.ts";

const test = suite("typeProblem");

test("a type of the set is allowed, and any other is refused with the set and the name of the setting", () => {
  const allowed = new Set(["login", "refund"]);
  assert.is(typeProblem("login", allowed), undefined);
  assert.is(typeProblem("refund", allowed), undefined);
  for (const type of ["", "Login", "login\n", "custom", "login,refund"]) {
    assert.is(
      typeProblem(type, allowed),
      "must be one of login, refund (the service's EVENT_TYPES setting)",
    );
  }
});

test("with * every lower-case name of 1 to 64 characters is allowed", () => {
  for (const type of ["a", "a".repeat(64), "z9", "a_b", "a.b", "a:b", "a-b", "constructor"]) {
    assert.is(typeProblem(type, "*"), undefined, type);
  }
});

test("with * every other name is refused", () => {
  for (const type of [
    "",
    "a".repeat(65),
    "A",
    "aB",
    "9a",
    "_a",
    ".a",
    "-a",
    "a b",
    "a/b",
    "ä",
    "a\n",
    "\na",
    "a\u0000",
    "__proto__",
  ]) {
    assert.match(typeProblem(type, "*") ?? "", /^must match/, JSON.stringify(type));
  }
});

test("other values than strings are refused", () => {
  for (const type of [undefined, null, 1, true, ["login"], { login: true }]) {
    assert.is(typeProblem(type, "*"), "must be a string");
    assert.is(typeProblem(type, new Set(["login"])), "must be a string");
  }
});

test("the default types are well-formed", () => {
  assert.equal(
    [...EVENT_TYPES_DEFAULT],
    ["message_sent", "call_made", "form_submitted", "login", "custom"],
  );
  for (const type of EVENT_TYPES_DEFAULT) assert.match(type, EVENT_TYPE_PATTERN);
});

test.run();
