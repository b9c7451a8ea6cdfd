/**
 * The end of an escape in a JSON string that begins at a backslash, or -1 if JSON does not have it. One that the bytes cut
 * off ends with them.
 */
export const endOfEscape = (bytes: Uint8Array, at: number): number => {
  const kind = bytes[at + 1];
  if (kind === undefined) return bytes.length;
  if (kind !== 0x75) return ESCAPES.includes(String.fromCharCode(kind)) ? at + 2 : -1;
  for (let i = at + 2; i < at + 6; i++) {
    const digit = bytes[i];
    if (digit === undefined) return bytes.length;
    if (!isHex(digit)) return -1;
  }
  return at + 6;
};

const ESCAPES = '"\\/bfnrt';

const isHex = (byte: number): boolean => {
  const letter = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x66);
};
