// Sequences of several bytes inside JSON strings.

/**
 * The end of the escape that starts at a backslash, or -1 if JSON does not have it. The end of a truncated one is the
 * end of the bytes.
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

/**
 * The end of the UTF-8 sequence that starts at a byte beyond ASCII, or -1 if it is invalid: truncated, overlong, a
 * surrogate, or above U+10FFFF.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3629#section-4
 */
export const endOfUtf8Sequence = (bytes: Uint8Array, at: number): number => {
  const first = bytes[at] ?? 0;
  if (first < 0xc2 || first > 0xf4) return -1;
  const second = bytes[at + 1] ?? 0;
  if (second < (LOWEST_SECOND[first] ?? 0x80) || second > (HIGHEST_SECOND[first] ?? 0xbf))
    return -1;
  if (first < 0xe0) return at + 2;
  if (!isContinuation(bytes[at + 2])) return -1;
  if (first < 0xf0) return at + 3;
  return isContinuation(bytes[at + 3]) ? at + 4 : -1;
};

const LOWEST_SECOND: Readonly<Record<number, number>> = { 0xe0: 0xa0, 0xf0: 0x90 };
const HIGHEST_SECOND: Readonly<Record<number, number>> = { 0xed: 0x9f, 0xf4: 0x8f };

const isContinuation = (byte: number | undefined): boolean =>
  byte !== undefined && (byte & 0xc0) === 0x80;
