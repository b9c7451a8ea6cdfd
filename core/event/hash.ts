/**
 * A 53-bit hash of a string's UTF-16 code units, as a non-negative safe integer.
 *
 * Two 32-bit multiply-and-rotate lanes with MurmurHash3's finaliser, joined to 53 bits so that the
 * result is exact as a JavaScript number, a JSON number and a Postgres bigint alike. It is not
 * cryptographic. Stored shards and fingerprints depend on it: changing it means re-sharding every log.
 *
 * @see https://github.com/aappleby/smhasher (MurmurHash3, public domain)
 */
export const hash53 = (text: string): number => {
  let low = 0x9e3779b9 ^ text.length;
  let high = 0x85ebca6b ^ text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    low = Math.imul(((low ^ unit) << 13) | ((low ^ unit) >>> 19), 0xcc9e2d51);
    high = Math.imul(((high ^ unit) << 15) | ((high ^ unit) >>> 17), 0x1b873593);
  }
  const crossed = finalise(low ^ high);
  const upper = finalise(high) ^ crossed;
  const lower = finalise(low ^ crossed);
  return (upper & 0x1fffff) * 0x1_0000_0000 + (lower >>> 0);
};

const finalise = (hash: number): number => {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};
