// Every runtime has these, but the types of the language do not.
const { TextDecoder, TextEncoder } = globalThis as unknown as {
  readonly TextDecoder: new (
    encoding: string,
    options: { readonly ignoreBOM: boolean },
  ) => { readonly decode: (bytes: Uint8Array) => string };
  readonly TextEncoder: new () => {
    readonly encodeInto: (text: string, bytes: Uint8Array) => { readonly written: number };
  };
};

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** Decodes bytes that are known to be UTF-8. */
export const decodeUtf8 = (bytes: Uint8Array, begin: number, end: number): string =>
  decoder.decode(bytes.subarray(begin, end));

/**
 * Writes a string as UTF-8 to the start of `bytes`, which must have room for three bytes per UTF-16 unit, and returns
 * how many bytes it wrote. A lone surrogate becomes U+FFFD.
 */
export const encodeUtf8Into = (text: string, bytes: Uint8Array): number =>
  encoder.encodeInto(text, bytes).written;

/** How many bytes a string takes as UTF-8. A lone surrogate counts 3, as U+FFFD does. */
export const utf8Length = (text: string): number => {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    bytes += unit < 0x800 ? 1 : 2;
    // A surrogate pair is 2 units and 4 bytes: 2 counted, 2 added here, and its second half skipped.
    if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) i++;
  }
  return bytes;
};

const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000;
