/**
 * Whether a JSON number, as written, changes when it is read as a JavaScript number and printed again:
 * true for `1e400`, `1e-400`, `9007199254740993`, `0.1234567890123456789` and `-0`, whose sign would be
 * lost; false for `1.50` and `1e3`, whose value survives although their spelling does not, and for
 * `0.10000000000000001`, which is how some languages print the number that others print as `0.1`.
 */
export const losesValue = (token: string): boolean => {
  const value = Number(token);
  if (!Number.isFinite(value)) return true;
  // Nearly every number was printed by some language, and needs no closer look.
  if (String(value) === token || value.toPrecision(DIGITS_OF_A_DOUBLE) === token) return false;
  const written = canonical(token);
  return (
    written !== canonical(String(value)) &&
    written !== canonical(value.toPrecision(DIGITS_OF_A_DOUBLE))
  );
};

/** So many significant digits tell every double from its neighbours (C's `%.17g`). */
const DIGITS_OF_A_DOUBLE = 17;

/** Sign, digits without leading or trailing zeros, and the power of ten of the last digit. */
const canonical = (token: string): string => {
  const [mantissa = "", exponent = "0"] = token.toLowerCase().split("e");
  const negative = mantissa.startsWith("-");
  const [whole = "", fraction = ""] = (negative ? mantissa.slice(1) : mantissa).split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = withoutTrailingZeros(digits);
  if (significant === "") return negative ? "-0" : "0";
  const power = Number(exponent) - fraction.length + (digits.length - significant.length);
  return `${negative ? "-" : ""}${significant}e${power}`;
};

// A loop, because `/0+$/` starts anew at every zero: quadratic in a long run of zeros that is not the
// end, and a body of one such number would hold the thread for minutes.
const withoutTrailingZeros = (digits: string): string => {
  let end = digits.length;
  while (end > 0 && digits[end - 1] === "0") end--;
  return digits.slice(0, end);
};
