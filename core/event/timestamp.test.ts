import * as fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { formatTimestamp, parseTimestamp } from "./timestamp.ts";

const test = suite("timestamp");

const MINUTE_MS = 60_000;
const YEAR_100 = Date.parse("0100-01-01T00:00:00Z");
const YEAR_9999_END = Date.parse("9999-12-31T23:59:59.999Z");

const two = (n: number): string => `${n}`.padStart(2, "0");
const offsetText = (minutes: number, colon = ":"): string => {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}${colon}${two(size % 60)}`;
};
/** The instant as shown by a clock that is `minutes` ahead of UTC, without the offset. */
const localText = (ms: number, minutes: number): string =>
  new Date(ms + minutes * MINUTE_MS).toISOString().slice(0, -1);

test("an instant with any offset is parsed as itself, and as Date.parse does", () => {
  const day = 86_400_000;
  fc.assert(
    fc.property(
      fc.integer({ min: YEAR_100 + day, max: YEAR_9999_END - day }),
      fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 }),
      (ms, minutes) => {
        const local = localText(ms, minutes);
        assert.is(parseTimestamp(local + offsetText(minutes)), ms);
        assert.is(parseTimestamp(local + offsetText(minutes, "")), ms);
        assert.is(Date.parse(local + offsetText(minutes)), ms);
        assert.is(parseTimestamp(formatTimestamp(ms)), ms);
      },
    ),
    { numRuns: 1_000 },
  );
});

test("a combination of numbers is a timestamp exactly if that date and time exist", () => {
  const near = (min: number, max: number) =>
    fc.oneof(fc.integer({ min, max }), fc.constantFrom(min, max, max - 1, max - 2));
  const numbers = fc.tuple(
    fc.oneof(fc.integer({ min: 100, max: 9999 }), fc.constantFrom(1900, 2000, 2023, 2024, 2100)),
    near(0, 13),
    near(0, 32),
    near(0, 25),
    near(0, 61),
    near(0, 61),
  );
  fc.assert(
    fc.property(numbers, ([year, month, day, hour, minute, second]) => {
      const text = `${`${year}`.padStart(4, "0")}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`;
      const ms = Date.UTC(year, month - 1, day, hour, minute, second);
      // Date.UTC shifts dates that do not exist, so their fields differ.
      const exists = new Date(ms).toISOString() === `${text}.000Z`;
      assert.is(parseTimestamp(`${text}Z`), exists ? ms : undefined, text);
    }),
    { numRuns: 3_000 },
  );
});

test("February has a 29th only in leap years", () => {
  for (const [year, leap] of [
    [2024, true],
    [2023, false],
    [2000, true],
    [1900, false],
    [2100, false],
    [2400, true],
  ] as const) {
    const expected = leap ? Date.UTC(year, 1, 29) : undefined;
    assert.is(parseTimestamp(`${year}-02-29T00:00:00Z`), expected, `${year}`);
    assert.is(parseTimestamp(`${year}-02-30T00:00:00Z`), undefined);
  }
});

test("an offset carries over the ends of days, months, leap days and years", () => {
  for (const [text, utc] of [
    ["2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000Z"],
    ["2025-12-31T23:30:00-01:00", "2026-01-01T00:30:00.000Z"],
    ["2024-03-01T00:00:00+00:01", "2024-02-29T23:59:00.000Z"],
    ["2023-02-28T23:59:59-00:01", "2023-03-01T00:00:59.000Z"],
    ["2026-01-31T23:59:59.999+23:59", "2026-01-31T00:00:59.999Z"],
    ["2026-01-31T09:30:00-00:00", "2026-01-31T09:30:00.000Z"],
  ] as const) {
    assert.is(formatTimestamp(parseTimestamp(text) ?? Number.NaN), utc, text);
  }
});

test("one to nine digits of a second are read, and those after the third are dropped, not rounded", () => {
  const second = Date.UTC(2026, 0, 31, 9, 30, 59);
  for (const [digits, ms] of [
    ["1", 100],
    ["12", 120],
    ["123", 123],
    ["1239", 123],
    ["999999999", 999],
    ["0009", 0],
    ["000999999", 0],
    ["123456789", 123],
  ] as const) {
    assert.is(parseTimestamp(`2026-01-31T09:30:59.${digits}Z`), second + ms, digits);
    assert.is(parseTimestamp(`2026-01-31T09:30:59,${digits}Z`), second + ms, digits);
  }
  fc.assert(
    fc.property(fc.stringMatching(/^\d{1,9}$/), (digits) => {
      const expected = second + Math.floor(Number(digits.padEnd(9, "0")) / 1_000_000);
      assert.is(parseTimestamp(`2026-01-31T09:30:59.${digits}Z`), expected);
    }),
  );
});

test("an instant before 1970 is truncated towards the past as well", () => {
  assert.is(parseTimestamp("1969-12-31T23:59:59.9999Z"), -1);
  assert.is(parseTimestamp("1969-12-31T23:59:59.0009Z"), -1_000);
});

test("seconds are optional, and letters may be lower-case", () => {
  const expected = Date.UTC(2026, 0, 31, 9, 30);
  for (const text of [
    "2026-01-31T09:30Z",
    "2026-01-31t09:30z",
    "2026-01-31T10:30+01:00",
    "2026-01-31T10:30+0100",
  ]) {
    assert.is(parseTimestamp(text), expected, text);
  }
});

test("anything else is not a timestamp", () => {
  for (const text of [
    "",
    "Z",
    "2026-01-31",
    "2026-01-31Z",
    "2026-01-31T09Z",
    "2026-01-31T09:30:00",
    "2026-01-31 09:30:00Z",
    "2026-01-31T09:30:00 Z",
    " 2026-01-31T09:30:00Z",
    "2026-01-31T09:30:00Z ",
    "2026-01-31T09:30:00Z\n",
    "2026-1-31T09:30:00Z",
    "26-01-31T09:30:00Z",
    "+002026-01-31T09:30:00Z",
    "-2026-01-31T09:30:00Z",
    "12026-01-31T09:30:00Z",
    "20260131T093000Z",
    "2026-W05-6T09:30:00Z",
    "2026-031T09:30:00Z",
    "0099-01-31T09:30:00Z",
    "0000-01-31T09:30:00Z",
    "2026-00-31T09:30:00Z",
    "2026-13-31T09:30:00Z",
    "2026-01-00T09:30:00Z",
    "2026-01-32T09:30:00Z",
    "2026-04-31T09:30:00Z",
    "2026-01-31T24:00:00Z",
    "2026-01-31T09:60:00Z",
    "2026-01-31T09:30:60Z",
    "2016-12-31T23:59:60Z",
    "2026-01-31T09:30:00.Z",
    "2026-01-31T09:30:00.1234567890Z",
    "2026-01-31T09:30.5Z",
    "2026-01-31T09:30:00+1:00",
    "2026-01-31T09:30:00+01",
    "2026-01-31T09:30:00+24:00",
    "2026-01-31T09:30:00+01:60",
    "2026-01-31T09:30:00+01:00:00",
    "2026-01-31T09:30:00±01:00",
    "2026-01-31T09:30:00\u221201:00",
    "2026-01-31T09:30:00UTC",
    "2026-01-31T09:30:00Z[Europe/Paris]",
    "٢٠٢٦-01-31T09:30:00Z",
    "Sat, 31 Jan 2026 09:30:00 GMT",
    "1769851800",
  ]) {
    assert.is(parseTimestamp(text), undefined, JSON.stringify(text));
  }
});

test("an instant is formatted in UTC, to the millisecond", () => {
  assert.is(formatTimestamp(Date.UTC(2024, 1, 29, 23, 59, 59, 7)), "2024-02-29T23:59:59.007Z");
});

test.run();
