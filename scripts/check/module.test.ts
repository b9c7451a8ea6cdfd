import { suite } from "uvu";
import * as assert from "uvu/assert";

import { tokenize } from "./module.ts";

const tokens = suite("tokenize");

const texts = (source: string): string[] => tokenize(source).map(({ text }) => text);

tokens("omits comments and white space", () => {
  assert.equal(texts("a /* b */ = // c\n  1; /** d */"), ["a", "=", "1", ";"]);
});

tokens("returns the value of a string and its line", () => {
  assert.equal(tokenize(`\n"a\\u0062"\n'c'`), [
    { text: `"a\\u0062"`, string: "ab", line: 2 },
    { text: `'c'`, string: "c", line: 3 },
  ]);
});

tokens("finds the code in a template but not its text", () => {
  const source = "`x ${ { a: f(`${b}`) } } process ${c} y`.d";
  const code = texts(source).filter((text) => /^\w+$/.test(text));
  assert.equal(code, ["a", "f", "b", "c", "d"]);
});

tokens("distinguishes regular expressions from divisions", () => {
  assert.equal(texts(`x = /[/"]'/g; y`), ["x", "=", `/[/"]'/g`, ";", "y"]);
  assert.equal(texts("a / b / c"), ["a", "/", "b", "/", "c"]);
  assert.equal(texts("f(a) / 2 / b[0] / 3").filter((text) => text === "/").length, 3);
});

tokens("counts the lines of a template that spans several", () => {
  const last = tokenize("const a = `\n\n${b}\n`;\nlast").at(-1);
  assert.equal(last, { text: "last", string: undefined, line: 5 });
});

tokens.run();
