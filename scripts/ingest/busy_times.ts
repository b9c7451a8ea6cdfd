import { HOUR_MS, hourOf } from "../../core/time.ts";

const BUSIEST_HOUR = 15;

/** How busy an hour of the day is, in UTC: the busiest third of the day has three quarters of the events. */
const busyness = (hour: number): number =>
  (1.3 + Math.cos(((hour - BUSIEST_HOUR) / 24) * 2 * Math.PI)) ** 2;

/**
 * Spreads events over a time as people do who sleep at night. The function that it returns takes which
 * share of the events is earlier, from 0 up to but not including 1 and ascending from call to call, and
 * gives the time in milliseconds since the Unix epoch.
 */
export const busyTimes = (from: number, to: number): ((share: number) => number) => {
  const hours: { readonly start: number; readonly end: number; readonly weight: number }[] = [];
  let total = 0;
  for (let start = from; start < to; start = hourOf(start) + HOUR_MS) {
    const end = Math.min(to, hourOf(start) + HOUR_MS);
    const weight = busyness(new Date(start).getUTCHours()) * (end - start);
    hours.push({ start, end, weight });
    total += weight;
  }
  let at = 0;
  let before = 0;
  return (share) => {
    const weight = share * total;
    for (;;) {
      const hour = hours[at];
      if (hour === undefined) return to - 1;
      const within = (weight - before) / hour.weight;
      if (within < 1) return Math.floor(hour.start + within * (hour.end - hour.start));
      before += hour.weight;
      at++;
    }
  };
};
