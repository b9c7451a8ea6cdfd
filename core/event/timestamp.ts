// RFC 3339's profile of ISO 8601, with seconds optional and `+hhmm` allowed beside `+hh:mm`.
const TIMESTAMP =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:[Zz]|([+-])(\d\d):?(\d\d))$/;

const MINUTE_MS = 60_000;

/**
 * Reads an ISO 8601 timestamp with an offset as milliseconds since the Unix epoch, or returns
 * undefined when it is none. Digits beyond the millisecond are dropped, not rounded, so that an
 * event never moves into the next bucket. Dates that do not exist (February 30th) and leap seconds
 * are refused rather than shifted.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3339
 */
export const parseTimestamp = (text: string): number | undefined => {
  const match = TIMESTAMP.exec(text);
  if (match === null) return undefined;
  const [, yyyy, mm, dd, hh, mi, ss, fraction, sign, offsetHours, offsetMinutes] = match;
  const year = Number(yyyy);
  const month = Number(mm);
  const day = Number(dd);
  const hour = Number(hh);
  const minute = Number(mi);
  const second = ss === undefined ? 0 : Number(ss);
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;

  const ms = fraction === undefined ? 0 : Number(fraction.padEnd(3, "0").slice(0, 3));
  // Date.UTC reads years 0 to 99 as 1900 to 1999. No accepted event is that old; refuse, do not shift.
  if (year < 100) return undefined;
  const local = Date.UTC(year, month - 1, day, hour, minute, second, ms);
  if (sign === undefined) return local;

  const offset = Number(offsetHours) * 60 + Number(offsetMinutes);
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return undefined;
  return sign === "+" ? local - offset * MINUTE_MS : local + offset * MINUTE_MS;
};

/** Writes milliseconds since the Unix epoch as `YYYY-MM-DDTHH:MM:SS.sssZ`. */
export const formatTimestamp = (ms: number): string => new Date(ms).toISOString();

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

const daysIn = (year: number, month: number): number =>
  month === 2 && isLeap(year) ? 29 : (DAYS[month - 1] ?? 0);

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
