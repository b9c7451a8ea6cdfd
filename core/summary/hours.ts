import { HOUR_MS, hourOf } from "../projection/read_model.ts";
import type { Range } from "./window.ts";

/** A range cut at the full hours: the whole hours inside of it, and what remains at both ends. */
export interface HourCut {
  readonly head: Range;
  readonly hours: Range;
  readonly tail: Range;
}

/**
 * Cuts a range so that hourly rows answer for `hours` and single events for `head` and `tail`. The
 * three are disjoint, in order, and together the range; each may be empty.
 */
export const cutAtHours = (range: Range): HourCut => {
  const firstFull = hourOf(range.from + HOUR_MS - 1);
  const lastFull = hourOf(range.to);
  if (firstFull >= lastFull) {
    // No whole hour fits: all of it is head.
    const end = { from: range.to, to: range.to };
    return { head: range, hours: end, tail: end };
  }
  return {
    head: { from: range.from, to: firstFull },
    hours: { from: firstFull, to: lastFull },
    tail: { from: lastFull, to: range.to },
  };
};
