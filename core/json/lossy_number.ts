// Postgres cannot store U+0000, so strings that start with it are refused anyway.
export const LOSSY_NUMBER_MARK = "\u0000number:";

/** The number as it was sent, if this string marks one that would lose value. */
export const lossyNumber = (text: string): string | undefined =>
  text.startsWith(LOSSY_NUMBER_MARK) ? text.slice(LOSSY_NUMBER_MARK.length) : undefined;

/**
 * Whether a JSON number changes its value when JavaScript reads and prints it: true for `1e400`, `1e-400`,
 * `9007199254740993`, `0.1234567890123456789`, and `-0`, which loses its sign; false for `1.50` and `1e3`, which only
 * change their spelling, and for `0.10000000000000001`, which is how some languages print the double that others print
 * as `0.1`.
 */
export const losesValue = (token: string): boolean => {
  const value = Number(token);
  if (!Number.isFinite(value)) return true;
  // Some language printed nearly every number that is sent: most return here.
  if (String(value) === token || value.toPrecision(DIGITS_OF_A_DOUBLE) === token) return false;
  const written = canonical(token);
  return (
    written !== canonical(String(value)) &&
    written !== canonical(value.toPrecision(DIGITS_OF_A_DOUBLE))
  );
};

/** Enough significant digits to tell every double from its neighbours (C's `%.17g`). */
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

// A loop, because `/0+$/` restarts at every zero: quadratic in a long run of zeros that is not at the end. A body of
// one such number would block the thread for minutes.
const withoutTrailingZeros = (digits: string): string => {
  let end = digits.length;
  while (end > 0 && digits[end - 1] === "0") end--;
  return digits.slice(0, end);
};
