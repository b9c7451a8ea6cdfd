const BAR_CELLS = 24;

/** How far something is: done and to do in events, and for how long it has been going on. */
export interface Done {
  readonly done: number;
  readonly total: number;
  readonly elapsedMs: number;
}

/** A line such as `████······  42% of 1,000,000 events, 51,230/s, 11 s left`. */
export const progressLine = ({ done, total, elapsedMs }: Done): string => {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const cells = Math.round(share * BAR_CELLS);
  const bar = "█".repeat(cells) + "·".repeat(BAR_CELLS - cells);
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const rate = elapsedMs === 0 ? 0 : (done / elapsedMs) * 1_000;
  const left = rate === 0 ? "" : `, ${formatDuration((total - done) / rate)} left`;
  return `${bar} ${percent} of ${count(total)} events, ${count(rate)}/s${left}`;
};

/** A number of events as a person reads it. */
export const count = (events: number): string => Math.round(events).toLocaleString("en-US");

/** `14 s`, `3 min 20 s`, `2 h 5 min`. */
export const formatDuration = (seconds: number): string => {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
};
