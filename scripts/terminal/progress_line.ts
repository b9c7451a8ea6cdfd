const BAR_WIDTH = 24;

/** How far something is that is counted in events. */
export interface Counted {
  readonly done: number;
  readonly of: number;
  /** Since when it runs, and how much was done before: an earlier run's share says nothing of the rate. */
  readonly sinceMs: number;
  readonly doneBefore: number;
}

/** A bar with the share, the rate and the time that is left, such as a person reads it. */
export const progressLine = (
  what: string,
  { done, of, sinceMs, doneBefore }: Counted,
  nowMs: number,
): string => {
  const share = of === 0 ? 1 : Math.min(1, done / of);
  const filled = Math.round(share * BAR_WIDTH);
  const seconds = (nowMs - sinceMs) / 1_000;
  const rate = seconds > 0 ? (done - doneBefore) / seconds : 0;
  const left = rate > 0 ? `, ${duration((of - done) / rate)} left` : "";
  return (
    `${what} [${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}] ${Math.floor(share * 100)}% ` +
    `${count(done)} of ${count(of)} events, ${count(rate)} events/s${left}`
  );
};

/** A whole number with its thousands apart. */
export const count = (value: number): string => Math.round(value).toLocaleString("en-US");

const WITHOUT_DECIMAL_S = 10;

/** How long something took, in seconds: as a person says it, and to a tenth where that is a share worth telling. */
export const elapsed = (seconds: number): string => {
  const tenths = seconds.toFixed(1);
  return Number(tenths) < WITHOUT_DECIMAL_S ? `${tenths} s` : duration(Math.round(seconds));
};

/** Seconds to come, as a person says them: `42 s`, `3 min 20 s`, `2 h 5 min`. */
export const duration = (seconds: number): string => {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};
