import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { hash53 } from "./hash.ts";

const test = suite("hash53");

// Stored shards and fingerprints depend on these. A change that this test catches is no change to
// make: it would look for every account in the wrong shard.
test("the hash of a string is what it is in every log", () => {
  for (const [text, hash] of [
    ["", 7_970_642_013_326_291],
    ["a", 3_755_322_238_708_145],
    ["b", 6_681_985_445_462_094],
    ["acme", 1_718_190_533_336_722],
    ["Acme", 618_141_872_686_760],
    ["account-1", 8_028_040_215_805_176],
    ["account-2", 519_897_061_123_071],
    ["7d444840-9dc0-11d1-b245-5ffdce74fad2", 8_768_301_665_588_622],
    ["ä", 6_494_359_503_993_756],
    ["😀", 7_012_483_534_598_434],
    ["\n", 6_570_529_400_082_459],
    ["x".repeat(255), 5_409_684_740_202_180],
  ] as const) {
    assert.is(hash53(text), hash, JSON.stringify(text));
  }
});

/** Strings as much alike as identifiers are: counted, padded, with one digit in the middle, UUIDs. */
function* similarStrings(each: number): Generator<string> {
  const next = mulberry32(53);
  const hex = (): string => next().toString(16).padStart(8, "0");
  for (let i = 0; i < each; i++) {
    yield `account-${i}`;
    yield `${i}`.padStart(12, "0");
    yield `user_${i}@example.com`;
    yield `${hex()}-${hex().slice(4)}-4${hex().slice(5)}-a${hex().slice(5)}-${hex()}${hex().slice(4)}`;
  }
}

/** A small generator of numbers from 0 to 2^32 - 1, the same ones every time. */
const mulberry32 = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return (t ^ (t >>> 14)) >>> 0;
};

test("the hash of any string is a safe integer, not negative, and the same every time", () => {
  const units = fc
    .array(fc.integer({ min: 0, max: 0xffff }))
    .map((codes) => String.fromCharCode(...codes));
  fc.assert(
    fc.property(units, (text) => {
      const hash = hash53(text);
      assert.ok(Number.isSafeInteger(hash) && hash >= 0 && hash < 2 ** 53, `${hash}`);
      assert.is(hash53(text.split("").join("")), hash);
    }),
    { numRuns: 1_000 },
  );
});

test("200,000 strings that are much alike have 200,000 hashes", () => {
  const hashes = new Set<number>();
  for (const text of similarStrings(50_000)) hashes.add(hash53(text));
  assert.is(hashes.size, 200_000);
});

test("strings that differ in two neighbouring characters, or in their length alone, differ", () => {
  const hashes = new Set<number>();
  for (let a = 32; a < 288; a++) {
    for (let b = 32; b < 288; b++) hashes.add(hash53(`id-${String.fromCharCode(a, b)}-x`));
  }
  assert.is(hashes.size, 256 * 256);
  for (const unit of ["\u0000", "a", "\uffff"]) {
    for (let length = 0; length < 1_000; length++) hashes.add(hash53(unit.repeat(length)));
  }
  // The empty string is the same one three times.
  assert.is(hashes.size, 256 * 256 + 3 * 999 + 1);
});

test("every one of the 53 bits is set in about half of the hashes", () => {
  const strings = [...similarStrings(5_000)];
  const set = Array.from({ length: 53 }, () => 0);
  for (const text of strings) {
    const hash = hash53(text);
    for (let bit = 0; bit < 53; bit++) if (Math.floor(hash / 2 ** bit) % 2 === 1) set[bit]!++;
  }
  // Six standard deviations of a fair coin.
  const tolerance = 3 * Math.sqrt(strings.length);
  for (const [bit, count] of set.entries()) {
    assert.ok(Math.abs(count - strings.length / 2) < tolerance, `bit ${bit}: ${count}`);
  }
});

test.run();
