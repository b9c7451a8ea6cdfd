import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { API_KEY_BYTES, formatApiKey, newApiKey, parseApiKey } from "./api_key.ts";

const test = suite("api key");

const keyOf = (byte: (i: number) => number) =>
  newApiKey(Uint8Array.from({ length: API_KEY_BYTES }, (_, i) => byte(i)));

test("a key made of any bytes can be parsed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: API_KEY_BYTES, maxLength: API_KEY_BYTES }), (random) => {
      const key = newApiKey(random);
      assert.equal(parseApiKey(formatApiKey(key)), key);
    }),
  );
});

test("each letter of a key depends on a different byte", () => {
  const zero = formatApiKey(keyOf(() => 0));
  const texts = Array.from({ length: API_KEY_BYTES }, (_, at) =>
    formatApiKey(keyOf((i) => (i === at ? 1 : 0))),
  );
  assert.is(new Set([zero, ...texts]).size, API_KEY_BYTES + 1);
});

test("text of another form is not a key", () => {
  const text = formatApiKey(keyOf((i) => i));
  for (const other of [
    "",
    "tm_",
    text.slice(1),
    text.slice(0, -1),
    `${text}x`,
    ` ${text}`,
    `${text}\n`,
  ]) {
    assert.is(parseApiKey(other), undefined, other);
  }
});

test.run();
