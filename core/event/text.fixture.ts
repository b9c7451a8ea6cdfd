import * as fc from "fast-check";

/** The edges of ranges that UTF-8 and UTF-16 treat alike, quotes, and control characters. */
const EDGES = [
  0x00, 0x09, 0x0a, 0x1f, 0x20, 0x22, 0x27, 0x5c, 0x7e, 0x7f, 0x80, 0x9f, 0xa0, 0x7ff, 0x800,
  0x2028, 0xd7ff, 0xe000, 0xfeff, 0xffee, 0xffff, 0x1_0000, 0x1_f600, 0x10_ffff,
] as const;

/** Any Unicode character. The `binary` unit of fast-check generates them too, but takes 1.5 s to create. */
const character: fc.Arbitrary<string> = fc
  .oneof(
    fc.integer({ min: 0x20, max: 0x7e }),
    fc.constantFrom(...EDGES),
    fc.integer({ min: 0, max: 0xd7ff }),
    fc.integer({ min: 0xe000, max: 0x10_ffff }),
  )
  .map((codePoint) => String.fromCodePoint(codePoint));

/** Any well-formed Unicode text. */
export const unicodeText = (constraints: fc.StringConstraints = {}): fc.Arbitrary<string> =>
  fc.string({ ...constraints, unit: character });
