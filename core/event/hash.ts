import { encodeUtf8Into } from "../utf8.ts";

/** The four words of a 128-bit hash, each an unsigned 32-bit integer. */
export type Digest = readonly [number, number, number, number];

/** How many bytes are hashed at a time. */
export const BLOCK_BYTES = 16;

/**
 * MurmurHash3_x86_128. Not cryptographic: collisions are easy to construct.
 *
 * @param words the input as little-endian words, followed by at least `BLOCK_BYTES` zeros
 * @param length how many bytes of it to hash
 * @see https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp (public domain)
 */
export const murmurHash3 = (words: Int32Array, length: number, seed: number): Digest => {
  let h1 = seed;
  let h2 = seed;
  let h3 = seed;
  let h4 = seed;

  const blocksEnd = (length >>> 4) << 2;
  let at = 0;
  for (; at < blocksEnd; at += 4) {
    h1 ^= mix(words[at] as number, C1, 15, C2);
    h1 = (Math.imul(rotl(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
    h2 ^= mix(words[at + 1] as number, C2, 16, C3);
    h2 = (Math.imul(rotl(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
    h3 ^= mix(words[at + 2] as number, C3, 17, C4);
    h3 = (Math.imul(rotl(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
    h4 ^= mix(words[at + 3] as number, C4, 18, C1);
    h4 = (Math.imul(rotl(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
  }

  // The last block, padded with zeros: a word of zeros changes nothing.
  h1 ^= mix(words[at] as number, C1, 15, C2) ^ length;
  h2 ^= mix(words[at + 1] as number, C2, 16, C3) ^ length;
  h3 ^= mix(words[at + 2] as number, C3, 17, C4) ^ length;
  h4 ^= mix(words[at + 3] as number, C4, 18, C1) ^ length;

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

const finalise = (word: number): number => {
  let h = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};

// The same memory twice. Every platform that the supported runtimes run on is little-endian.
let scratch = new Int32Array(1_024);
let scratchBytes = new Uint8Array(scratch.buffer);

/** Writes a string as UTF-8 to `scratch`, and zeros after it. Returns its length in bytes. */
const load = (text: string): number => {
  const bytesMax = 3 * text.length + BLOCK_BYTES;
  if (bytesMax > scratchBytes.length) {
    scratch = new Int32Array(Math.ceil(bytesMax / 2));
    scratchBytes = new Uint8Array(scratch.buffer);
  }
  const end = text.length;
  let units = 0;
  let at = 0;
  let word = 0;
  for (let i = 0; i + 4 <= end; i += 4) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    units |= a | b | c | d;
    scratch[at++] = a | (b << 8) | (c << 16) | (d << 24);
  }
  for (let i = 4 * at; i < end; i++) {
    const unit = text.charCodeAt(i);
    units |= unit;
    word |= unit << (8 * (i & 3));
  }
  // For ASCII, which nearly all ids are, this takes half the time of the encoder.
  if (units < 0x80) {
    scratch[at] = word;
    scratch[at + 1] = scratch[at + 2] = scratch[at + 3] = 0;
    return end;
  }
  const length = encodeUtf8Into(text, scratchBytes);
  scratchBytes.fill(0, length, length + BLOCK_BYTES);
  return length;
};

/**
 * The first 53 bits of the MurmurHash3_x86_128 of a string as UTF-8, as a non-negative integer: exact as a JavaScript
 * number, a JSON number and a Postgres bigint. Shards and fingerprints are stored, so this must never change.
 */
export const hash53 = (text: string): number => {
  const length = load(text);
  const [low, high] = murmurHash3(scratch, length, 0);
  return (high & 0x1fffff) * 0x1_0000_0000 + low;
};
