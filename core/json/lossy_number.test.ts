import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { identifierProblem } from "../event/identifier.ts";
import { losesValue, LOSSY_NUMBER_MARK, lossyNumber } from "./lossy_number.ts";
import { countStorable } from "./storable.ts";

const test = suite("lossy numbers");

test("numbers that are too large, too small or too long lose value", () => {
  for (const token of [
    "1e400",
    "-1e400",
    "1.8e308",
    "1e999999999999999999999999",
    "1e-400",
    "-1e-400",
    "1e-999999999999999999999999",
    "9007199254740993",
    "-9007199254740993",
    "9007199254740993e0",
    "900719925474099.3e1",
    "0.1234567890123456789",
    "0.30000000000000001",
    "1.00000000000000000001",
    "12345678901234567890",
  ]) {
    assert.is(losesValue(token), true, token);
  }
});

test("a negative zero loses its sign, in any spelling", () => {
  for (const token of [
    "-0",
    "-0.0",
    "-0e5",
    "-0E-5",
    "-0.000E-9",
    "-0.0000000000000000",
    "-0e999999999999999999999999",
  ]) {
    assert.is(losesValue(token), true, token);
    assert.is(losesValue(token.slice(1)), false, token);
  }
});

test("another spelling of the same value loses nothing", () => {
  for (const token of [
    "0",
    "0.0",
    "0e5",
    "0.000E-9",
    "-0.5",
    "-0.10",
    "-10e-2",
    "0e999999999999999999999999",
    "1.50",
    "1e3",
    "1E+3",
    "1000e-3",
    "0.001e3",
    "9007199254740992",
    "9007199254740992.0",
    "9007199254740994",
    "100000000000000000000000",
    "1e23",
    "5e-324",
    "1.7976931348623157e308",
    "17976931348623157e292",
    "0.30000000000000004",
  ]) {
    assert.is(losesValue(token), false, token);
  }
});

test("no JavaScript number loses value as JavaScript prints it", () => {
  const double = fc.double({ noDefaultInfinity: true, noNaN: true });
  fc.assert(
    fc.property(double, (number) => {
      assert.is(losesValue(String(number)), false);
      assert.is(losesValue(number.toExponential()), false);
    }),
    { numRuns: 2_000 },
  );
});

test("an integer loses value exactly if JavaScript prints another one", () => {
  const integer = fc.oneof(
    // From 10^21 on, JavaScript prints an exponent.
    fc.bigInt({ min: -999n * 10n ** 18n, max: 999n * 10n ** 18n }),
    fc.bigInt({ min: 2n ** 53n - 20n, max: 2n ** 53n + 20n }),
    fc.bigInt({ min: 0n, max: 999n }).map((n) => n * 10n ** 16n),
  );
  fc.assert(
    fc.property(integer, (number) => {
      const value = Number(number);
      // With 17 digits, as some languages print a double.
      const long = value.toPrecision(17).replace(/\.0+$/, "");
      const expected = BigInt(String(value)) !== number && integerOf(long) !== number;
      assert.is(losesValue(`${number}`), expected);
      assert.is(losesValue(`${number}.000`), expected);
      assert.is(losesValue(`${number}000e-3`), expected);
    }),
    { numRuns: 2_000 },
  );
});

/** The value of a printed integer, such as `-8.9754579611778959e+18`. */
const integerOf = (text: string): bigint =>
  BigInt(
    text.replace(/\.(\d+)e\+(\d+)$/, (_, digits: string, exponent: string) =>
      digits.padEnd(Number(exponent), "0"),
    ),
  );

test("the place of the decimal point does not matter", () => {
  const digits = fc.stringMatching(/^[1-9]\d{0,24}$/);
  fc.assert(
    fc.property(digits, fc.nat({ max: 30 }), (whole, shift) => {
      const padded = whole.padStart(shift + 1, "0");
      const at = padded.length - shift;
      const pointed = `${padded.slice(0, at)}.${padded.slice(at)}0e${shift}`;
      assert.is(losesValue(pointed), losesValue(whole), `${pointed} is ${whole}`);
      assert.is(losesValue(`${whole}${"0".repeat(shift)}`), losesValue(`${whole}e${shift}`));
    }),
    { numRuns: 1_000 },
  );
});

// `/0+$/` needed 25 minutes for it.
test("the cost of a long run of zeros inside a number is linear", () => {
  const zeros = "0".repeat(1_000_000);
  assert.is(losesValue(`0.1${zeros}1`), true);
  assert.is(losesValue(`0.1${zeros}`), false);
  assert.is(losesValue(`${zeros}.${zeros}`), false);
});

test("a marked string returns the number as it was sent", () => {
  assert.is(lossyNumber(`${LOSSY_NUMBER_MARK}-1.0E+400`), "-1.0E+400");
});

test("no other string is read as a number", () => {
  for (const text of ["", "1e400", "number:1e400", "\u0000", ` ${LOSSY_NUMBER_MARK}1`]) {
    assert.is(lossyNumber(text), undefined);
  }
});

test("no string that can be stored is marked", () => {
  assert.type(countStorable(LOSSY_NUMBER_MARK, ""), "object");
  assert.ok(identifierProblem(LOSSY_NUMBER_MARK));
});

test.run();
