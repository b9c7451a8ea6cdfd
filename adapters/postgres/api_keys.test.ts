import { suite } from "uvu";
import * as assert from "uvu/assert";

import { hashSecret, isSecretOf } from "./api_keys.ts";

const test = suite("the hash of a secret");

test("a secret matches its hash, and no other secret does", () => {
  const stored = hashSecret("secret");
  assert.is(stored.length, 32);
  assert.ok(isSecretOf("secret", stored));
  for (const other of ["", "Secret", "secret "]) assert.not.ok(isSecretOf(other, stored), other);
});

test("a hash that differs in any byte or in its length matches no secret", () => {
  for (let i = 0; i < 32; i++) {
    const other = Buffer.from(hashSecret("secret"));
    other[i] = (other[i] ?? 0) ^ 1;
    assert.not.ok(isSecretOf("secret", other), `${i}`);
  }
  for (const other of [Buffer.alloc(0), hashSecret("secret").subarray(0, 31)]) {
    assert.not.ok(isSecretOf("secret", other));
  }
});

test.run();
