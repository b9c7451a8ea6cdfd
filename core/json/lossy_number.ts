// U+0000 cannot be stored, so every string that begins with it is refused anyway.
export const LOSSY_NUMBER_MARK = "\u0000number:";

/** The number as it was written, when `parseJson` marked this string as one that would lose value. */
export const lossyNumber = (text: string): string | undefined =>
  text.startsWith(LOSSY_NUMBER_MARK) ? text.slice(LOSSY_NUMBER_MARK.length) : undefined;
