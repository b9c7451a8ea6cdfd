import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { encodeUtf8 } from "../utf8.fixture.ts";
import { BLOCK_BYTES, type Digest, hash53, murmurHash3 } from "./hash.ts";
import { unicodeText } from "./text.fixture.ts";

const test = suite("hash53");

/** The digest of some bytes. */
const hashOf = (bytes: Uint8Array, seed = 0): Digest => {
  const padded = new Uint8Array(4 * Math.ceil(bytes.length / 4) + BLOCK_BYTES);
  padded.set(bytes);
  return murmurHash3(new Int32Array(padded.buffer), bytes.length, seed);
};
const hexOf = (digest: Digest): string =>
  digest.map((word) => word.toString(16).padStart(8, "0")).join("");

// From the README of https://github.com/karanlyons/murmurHash3.js and the tests of its successors.
test("MurmurHash3_x86_128 gives the published digests, for every length of the last block", () => {
  for (const [text, seed, digest] of [
    ["I will not buy this tobacconist's, it is scratched.", 0, "9b5b7ba2ef3f7866889adeaf00f3f98e"],
    ["", 0, "00000000000000000000000000000000"],
    ["", 1, "88c4adec54d201b954d201b954d201b9"],
    ["0", 0, "0ab2409ea5eb34f8a5eb34f8a5eb34f8"],
    ["01", 0, "0f87acb4674f3b21674f3b21674f3b21"],
    ["012", 0, "cd94fea54c13d78e4c13d78e4c13d78e"],
    ["0123", 0, "dc378fea485d3536485d3536485d3536"],
    ["01234", 0, "35c5b3ee7b3b211600ae108800ae1088"],
    ["012345678", 0, "571b5f6775d48126d0205c304ca675dc"],
    ["0123456789abc", 0, "c970af1dcc6d9d01dd00c683fc11eee3"],
    ["0123456789abcde", 0, "3c76c46d4d0818c0add433daa78673fa"],
    ["0123456789abcdef", 0, "fb7d440936aed30a48ad1d9b572b3bfd"],
    ["utf-8 supported 🌈", 0, "796479ed1bbff85b29e39731d1967a07"],
  ] as const) {
    assert.is(hexOf(hashOf(encodeUtf8(text), seed)), digest, text);
  }
});

// The check that SMHasher makes of every hash: keys of 0 to 255 bytes, each with its own seed, then the digests.
// https://github.com/aappleby/smhasher/blob/master/src/main.cpp: "MurmurHash3 for x86, 128-bit", 0xB3ECE62A
test("MurmurHash3_x86_128 has the verification value of SMHasher", () => {
  const key = Uint8Array.from({ length: 256 }, (_, i) => i);
  const digests = new Uint8Array(256 * 16);
  const view = new DataView(digests.buffer);
  for (let length = 0; length < 256; length++) {
    for (const [i, word] of hashOf(key.subarray(0, length), 256 - length).entries()) {
      view.setUint32(length * 16 + i * 4, word, true);
    }
  }
  assert.is(hashOf(digests)[0], 0xb3ece62a);
});

// Stored shards and fingerprints depend on these: a change of the hash would look for every account in the wrong shard.
test("the hash of a string is the same in every log", () => {
  for (const [text, hash] of [
    ["", 0],
    ["a", 6_386_082_309_772_092],
    ["b", 3_045_676_632_865_188],
    ["acme", 3_892_394_661_067_129],
    ["Acme", 494_866_875_197_543],
    ["account-1", 6_194_487_720_603_611],
    ["account-2", 2_266_759_867_145_812],
    ["7d444840-9dc0-11d1-b245-5ffdce74fad2", 835_046_720_390_490],
    ["ä", 7_852_376_374_018_025],
    ["😀", 5_739_394_608_855_684],
    ["\n", 4_364_487_492_248_594],
    ["x".repeat(255), 3_518_777_794_034_535],
  ] as const) {
    assert.is(hash53(text), hash, JSON.stringify(text));
  }
});

test("a string is hashed as UTF-8, however long it is", () => {
  fc.assert(
    fc.property(unicodeText(), fc.constantFrom(1, 1_000, 20_000), (text, times) => {
      const repeated = text.repeat(times);
      const [low, high] = hashOf(encodeUtf8(repeated));
      assert.is(hash53(repeated), (high % 2 ** 21) * 2 ** 32 + low);
    }),
  );
});

/** Strings that resemble each other as identifiers do: counted, padded, with one digit in the middle, UUIDs. */
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

/** A small generator of numbers from 0 to 2^32 - 1, the same sequence every time. */
const mulberry32 = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return (t ^ (t >>> 14)) >>> 0;
};

test("the hash of any string is a non-negative safe integer, and the same every time", () => {
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

test("200,000 similar strings have 200,000 hashes", () => {
  const hashes = new Set<number>();
  for (const text of similarStrings(50_000)) hashes.add(hash53(text));
  assert.is(hashes.size, 200_000);
});

test("strings that differ only in two adjacent characters, or in their length, have different hashes", () => {
  const hashes = new Set<number>();
  for (let a = 32; a < 288; a++) {
    for (let b = 32; b < 288; b++) hashes.add(hash53(`id-${String.fromCharCode(a, b)}-x`));
  }
  assert.is(hashes.size, 256 * 256);
  for (const unit of ["\u0000", "a", "\uffff"]) {
    for (let length = 0; length < 1_000; length++) hashes.add(hash53(unit.repeat(length)));
  }
  // The empty string occurs three times.
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
