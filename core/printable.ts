/**
 * A text with everything escaped that a terminal or a log viewer would not simply show: control
 * characters, among them line breaks and what begins an ANSI sequence, marks that turn the direction of
 * writing around, what takes no space and so makes two names look the same, and halves of surrogate pairs. The
 * escapes are JavaScript's, so that in JSON they stand for what they replace.
 */
export const printable = (text: string): string =>
  text.replaceAll(UNPRINTABLE, (found) =>
    Array.from({ length: found.length }, (_, i) => escaped(found.charCodeAt(i))).join(""),
  );

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

const escaped = (unit: number): string => `\\u${unit.toString(16).padStart(4, "0")}`;
