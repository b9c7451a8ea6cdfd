import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { printable } from "./printable.ts";

const test = suite("printable()");

test("visible characters stay unchanged", () => {
  for (const text of ["", "acme", "größer · 東京 · 😀", 'a "b" \\ c', "a\u00a0b"]) {
    assert.is(printable(text), text);
  }
});

test("characters with an effect, or without a glyph, are escaped", () => {
  for (const [text, shown] of [
    ["a\nb\r\tc", String.raw`a\u000ab\u000d\u0009c`],
    ["\u001b[2J\u009b31m\u007f", String.raw`\u001b[2J\u009b31m\u007f`],
    ["\u2028\u2029\u0085", String.raw`\u2028\u2029\u0085`],
    ["abc\u202etxt\u2066\u200f\ufeff", String.raw`abc\u202etxt\u2066\u200f\ufeff`],
    ["\ud83d", String.raw`\ud83d`],
    ["acme\u200b\u2060\u00ad", String.raw`acme\u200b\u2060\u00ad`],
    // Invisible letters.
    ["acme\u3164\u115f\u034f\ufe0f", String.raw`acme\u3164\u115f\u034f\ufe0f`],
    ["\u{e0041}", String.raw`\udb40\udc41`],
  ] as const) {
    assert.is(printable(text), shown);
  }
});

test("escaped JSON has the same value, and is one printable line", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const line = printable(JSON.stringify(text));
      assert.is(JSON.parse(line), text);
      assert.is(printable(line), line);
    }),
  );
});

test.run();
