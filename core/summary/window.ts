/** A half-open range of time, `from ≤ t < to`, in milliseconds since the Unix epoch. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

const DAY_MS = 86_400_000;

/** The longest range that may be asked for. */
export const RANGE_DAYS_MAX = 400;
export const RANGE_MS_MAX = RANGE_DAYS_MAX * DAY_MS;

const WINDOWS = { last_24h: DAY_MS, last_7d: 7 * DAY_MS } as const;

/** A range named by its length, which ends now. */
export type WindowName = keyof typeof WINDOWS;

export const WINDOW_NAMES = Object.keys(WINDOWS) as ReadonlyArray<WindowName>;

/** The range that a window means at `now`: `last_24h` is `[now - 24 h, now)`, to the millisecond. */
export const rangeOf = (window: WindowName, now: number): Range => ({
  from: now - WINDOWS[window],
  to: now,
});
