// Every runtime has it, and the types of the language do not.
const { TextDecoder } = globalThis as unknown as {
  readonly TextDecoder: new (
    encoding: string,
    options: { readonly ignoreBOM: boolean },
  ) => { readonly decode: (bytes: Uint8Array) => string };
};

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text of some bytes that are known to be UTF-8. */
export const decodeUtf8 = (bytes: Uint8Array, begin: number, end: number): string =>
  decoder.decode(bytes.subarray(begin, end));

/**
 * The end of the UTF-8 sequence of a character beyond ASCII that begins at a byte, or -1 if there is none: what is cut off,
 * longer than needed, a surrogate or beyond U+10FFFF is none.
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
