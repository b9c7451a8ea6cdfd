import { encodeUtf8Into } from "../utf8.ts";

/** The four words of a 128-bit hash, each an unsigned 32-bit integer. */
export type Words = readonly [number, number, number, number];

/**
 * MurmurHash3_x86_128 of the first `length` bytes. Not cryptographic: collisions are easy to construct.
 *
 * @see https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp (public domain)
 */
export const murmurHash3 = (bytes: Uint8Array, length: number, seed: number): Words => {
  let h1 = seed;
  let h2 = seed;
  let h3 = seed;
  let h4 = seed;

  let at = 0;
  for (; at + 16 <= length; at += 16) {
    h1 ^= mix(word(bytes, at), C1, 15, C2);
    h1 = (Math.imul(rotl(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
    h2 ^= mix(word(bytes, at + 4), C2, 16, C3);
    h2 = (Math.imul(rotl(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
    h3 ^= mix(word(bytes, at + 8), C3, 17, C4);
    h3 = (Math.imul(rotl(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
    h4 ^= mix(word(bytes, at + 12), C4, 18, C1);
    h4 = (Math.imul(rotl(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
  }

  const rest = length - at;
  if (rest > 12) h4 ^= mix(tail(bytes, at + 12, length), C4, 18, C1);
  if (rest > 8) h3 ^= mix(tail(bytes, at + 8, length), C3, 17, C4);
  if (rest > 4) h2 ^= mix(tail(bytes, at + 4, length), C2, 16, C3);
  if (rest > 0) h1 ^= mix(tail(bytes, at, length), C1, 15, C2);

  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = finalise(h2 + h1);
  h3 = finalise(h3 + h1);
  h4 = finalise(h4 + h1);
  h1 = finalise(h1);
  h1 = (h1 + h2 + h3 + h4) | 0;
  return [h1 >>> 0, (h2 + h1) >>> 0, (h3 + h1) >>> 0, (h4 + h1) >>> 0];
};

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

const rotl = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));

const mix = (word: number, before: number, bits: number, after: number): number =>
  Math.imul(rotl(Math.imul(word, before), bits), after);

/** Four bytes as a little-endian word. */
const word = (bytes: Uint8Array, at: number): number =>
  byteAt(bytes, at) |
  (byteAt(bytes, at + 1) << 8) |
  (byteAt(bytes, at + 2) << 16) |
  (byteAt(bytes, at + 3) << 24);

const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] as number;

/** The same of at most four bytes before `end`; those that are missing are zero. */
const tail = (bytes: Uint8Array, at: number, end: number): number => {
  let found = 0;
  for (let i = 0; i < 4 && at + i < end; i++) found |= byteAt(bytes, at + i) << (8 * i);
  return found;
};

const finalise = (value: number): number => {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};

let scratch = new Uint8Array(4_096);

/**
 * The first 53 bits of the MurmurHash3_x86_128 of a string as UTF-8, as a non-negative integer: exact as a JavaScript
 * number, a JSON number and a Postgres bigint. Shards and fingerprints are stored, so this must never change.
 */
export const hash53 = (text: string): number => {
  if (3 * text.length > scratch.length) scratch = new Uint8Array(6 * text.length);
  const [low, high] = murmurHash3(scratch, encodeUtf8Into(text, scratch), 0);
  return (high & 0x1fffff) * 0x1_0000_0000 + low;
};
