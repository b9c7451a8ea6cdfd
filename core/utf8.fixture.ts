// Every runtime has these, but the types of the language do not.
const { TextEncoder, TextDecoder } = globalThis as unknown as {
  readonly TextEncoder: new () => { readonly encode: (text: string) => Uint8Array };
  readonly TextDecoder: new (
    encoding: string,
    options: { readonly ignoreBOM: boolean; readonly fatal: boolean },
  ) => { readonly decode: (bytes: Uint8Array) => string };
};

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** Text as UTF-8. A lone surrogate becomes U+FFFD. */
export const encodeUtf8 = (text: string): Uint8Array => encoder.encode(text);

/** The text of some bytes; undefined if they are not UTF-8. */
export const decodeStrictly = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
};
