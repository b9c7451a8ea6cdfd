import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { LOSSY_NUMBER_MARK } from "../json/lossy_number.ts";
import { accountIdProblem, IDENTIFIER_LENGTH_MAX, identifierProblem } from "./identifier.ts";
import { unicodeText } from "./text.fixture.ts";

const test = suite("identifierProblem");

test("an identifier has 1 to 255 characters, counted as code points", () => {
  assert.is(IDENTIFIER_LENGTH_MAX, 255);
  for (const character of ["a", "é", "€", "😀", "'", " "]) {
    for (const length of [1, 2, 254, 255]) {
      assert.is(identifierProblem(character.repeat(length)), undefined, `${character}×${length}`);
    }
    assert.match(identifierProblem(character.repeat(256)) ?? "", /at most 255 .*, not 256/);
  }
  assert.match(identifierProblem("") ?? "", /must not be empty/);
  assert.is(identifierProblem(`${"😀".repeat(254)}a`), undefined);
  assert.match(identifierProblem(`${"😀".repeat(255)}a`) ?? "", /not 256/);
});

test("control characters are not allowed anywhere in an identifier, and all other characters are", () => {
  for (let code = 0; code < 0x300; code++) {
    const character = String.fromCodePoint(code);
    const isControl = code <= 0x1f || (code >= 0x7f && code <= 0x9f);
    for (const text of [character, `a${character}`, `${character}a`]) {
      const problem = identifierProblem(text);
      if (isControl) assert.match(problem ?? "", /control characters/, `U+${code.toString(16)}`);
      else assert.is(problem, undefined, `U+${code.toString(16)}`);
    }
  }
});

test("half of a surrogate pair is refused, and a whole pair is not", () => {
  for (const text of [
    "\ud83d",
    "\ude00",
    "\ude00\ud83d",
    "a\ud83d",
    "\ud83da",
    "\ud83d\ud83d\ude00",
  ]) {
    assert.match(identifierProblem(text) ?? "", /lone surrogate/, JSON.stringify(text));
  }
  assert.is(identifierProblem("\ud83d\ude00"), undefined);
});

test("other values than strings are refused, including a number that arrives as a marked string", () => {
  for (const value of [undefined, null, 0, 42, true, [], ["a"], {}, `${LOSSY_NUMBER_MARK}1e400`]) {
    assert.is(identifierProblem(value), "must be a string");
  }
});

test("an account cannot be named . or .., which no URL path can contain", () => {
  for (const name of [".", ".."]) {
    assert.match(accountIdProblem(name) ?? "", /must not be \. or \.\./);
    assert.is(identifierProblem(name), undefined, "an event or a user may be called so");
  }
  for (const name of ["...", ".a", "..a", "a.", "a..", "./", "%2e", " .", "\u2024"]) {
    assert.is(accountIdProblem(name), undefined, name);
  }
  for (const value of ["", "a\n", "x".repeat(256), 1, null, "\ud83d"]) {
    assert.is(accountIdProblem(value), identifierProblem(value));
  }
});

test("any string of allowed characters is an identifier", () => {
  const text = unicodeText({ minLength: 1, maxLength: 255, size: "max" });
  fc.assert(
    fc.property(text, (drawn) => {
      assert.is(identifierProblem(drawn.replace(/\p{Cc}/gu, "-")), undefined);
    }),
    { numRuns: 30 },
  );
});

test.run();
