import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { makeSignature } from "./signature.ts";

const test = suite("signatures in Redis");

const signature = makeSignature(Buffer.alloc(32, 1));
const text = fc.string({ unit: "grapheme" });

test("a text is valid in the place that it was signed for", () => {
  fc.assert(
    fc.property(text, text, (place, content) => {
      assert.is(signature.verify(place, signature.sign(place, content)), content);
    }),
  );
});

test("a text in another place, or signed with another secret, is not valid", () => {
  const other = makeSignature(Buffer.alloc(32, 2));
  fc.assert(
    fc.property(text, text, text, (place, elsewhere, content) => {
      fc.pre(place !== elsewhere);
      assert.is(signature.verify(elsewhere, signature.sign(place, content)), undefined);
      assert.is(signature.verify(place, other.sign(place, content)), undefined);
    }),
  );
});

test("a text with a character changed, removed or added is not valid", () => {
  fc.assert(
    fc.property(text, fc.nat(), fc.constantFrom("", "A", "é", "\0"), (content, at, put) => {
      const signed = signature.sign("place", content);
      const i = at % signed.length;
      const changed = signed.slice(0, i) + put + signed.slice(i + 1);
      fc.pre(changed !== signed);
      assert.is(signature.verify("place", changed), undefined);
    }),
    { numRuns: 500 },
  );
});

test("no text makes it throw", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.base64String()), (any) => {
      assert.is(signature.verify("place", any), undefined);
    }),
  );
});

test.run();
