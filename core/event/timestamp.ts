import { MINUTE_MS } from "../time.ts";

/**
 * Parses an ISO 8601 timestamp with an offset to milliseconds since the Unix epoch; undefined if it is not one. It accepts
 * the profile of RFC 3339, also without seconds, and with `+hhmm` for `+hh:mm`. Digits after the millisecond are dropped,
 * not rounded, so that an event never moves to the next bucket. Dates that do not exist (February 30th) and leap seconds are
 * refused, not shifted.
 *
 * Reading character by character takes a fifth of the time of a regular expression.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3339
 */
export const parseTimestamp = (text: string): number | undefined => {
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  const separated =
    text[4] === "-" &&
    text[7] === "-" &&
    (text[10] === "T" || text[10] === "t") &&
    text[13] === ":";
  if (!separated) return undefined;
  let at = 16;
  let second = 0;
  let ms = 0;
  if (text[at] === ":") {
    second = digits(text, at + 1, 2);
    at += 3;
    if (text[at] === "." || text[at] === ",") {
      const start = at + 1;
      at = start;
      while (isDigit(text, at)) at++;
      if (at === start || at - start > FRACTION_DIGITS_MAX) return undefined;
      ms = Number(text.slice(start, Math.min(at, start + 3)).padEnd(3, "0"));
    }
  }
  // NaN is outside every range. Date.UTC reads the years 0 to 99 as 1900 to 1999: refuse them, as they are too old anyway.
  const exists =
    year >= 100 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= daysIn(year, month) &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 59;
  const offsetMs = offsetAt(text, at);
  if (!exists || offsetMs === undefined) return undefined;
  return Date.UTC(year, month - 1, day, hour, minute, second, ms) - offsetMs;
};

const FRACTION_DIGITS_MAX = 9;

/** The offset at the end of a timestamp, in milliseconds east of UTC. */
const offsetAt = (text: string, at: number): number | undefined => {
  if (text[at] === "Z" || text[at] === "z") return at + 1 === text.length ? 0 : undefined;
  if (text[at] !== "+" && text[at] !== "-") return undefined;
  const hours = digits(text, at + 1, 2);
  const minutesAt = text[at + 3] === ":" ? at + 4 : at + 3;
  const minutes = digits(text, minutesAt, 2);
  if (!(hours <= 23 && minutes <= 59) || minutesAt + 2 !== text.length) return undefined;
  const ms = (hours * 60 + minutes) * MINUTE_MS;
  return text[at] === "+" ? ms : -ms;
};

const ZERO = 48;

const isDigit = (text: string, at: number): boolean => {
  const digit = text.charCodeAt(at) - ZERO;
  return digit >= 0 && digit <= 9;
};

/** The number in `length` digits; NaN if one of them is not a digit. */
const digits = (text: string, at: number, length: number): number => {
  let value = 0;
  for (let i = at; i < at + length; i++) {
    if (!isDigit(text, i)) return Number.NaN;
    value = value * 10 + text.charCodeAt(i) - ZERO;
  }
  return value;
};

/** Formats milliseconds since the Unix epoch as `YYYY-MM-DDTHH:MM:SS.sssZ`. */
export const formatTimestamp = (ms: number): string => new Date(ms).toISOString();

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

const daysIn = (year: number, month: number): number =>
  month === 2 && isLeap(year) ? 29 : (DAYS[month - 1] as number);

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
