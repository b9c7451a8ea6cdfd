import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { utf8Length } from "./utf8.ts";

const test = suite("utf8Length");

const { TextEncoder } = globalThis as unknown as {
  readonly TextEncoder: new () => { encode(text: string): { readonly length: number } };
};
const encoder = new TextEncoder();

test("a character takes one to four bytes, up to the last code point of each length", () => {
  for (const [code, bytes] of [
    [0x00, 1],
    [0x7f, 1],
    [0x80, 2],
    [0x7ff, 2],
    [0x800, 3],
    [0xd7ff, 3],
    [0xe000, 3],
    [0xffff, 3],
    [0x1_0000, 4],
    [0x10_ffff, 4],
  ] as const) {
    assert.is(utf8Length(String.fromCodePoint(code)), bytes, `U+${code.toString(16)}`);
  }
  assert.is(utf8Length(""), 0);
});

test("the length of any string is that of TextEncoder's output, lone surrogates included", () => {
  const surrogate = fc.integer({ min: 0xd7fe, max: 0xe001 });
  const unit = fc.oneof(
    fc.integer({ min: 0, max: 0xffff }),
    surrogate,
    fc.integer({ max: 0x82, min: 0x7e }),
  );
  const text = fc.array(unit).map((units) => String.fromCharCode(...units));
  fc.assert(
    fc.property(text, (drawn) => {
      assert.is(utf8Length(drawn), encoder.encode(drawn).length);
    }),
    { numRuns: 2_000 },
  );
});

test.run();
