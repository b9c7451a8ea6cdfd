import { count, duration } from "./format.ts";

/** The progress of a command: one line that changes on a terminal, and plain lines elsewhere. */
export interface Progress {
  /** Shows the current state. */
  readonly show: (sentence: string) => void;
  /** Prints lines that stay. */
  readonly print: (text: string) => void;
}

/** How often the state is printed where a line cannot change. */
const PLAIN_EVERY_MS = 15_000;

const CLEAR_LINE = "\r\u001b[K";

export const makeProgress = (out: NodeJS.WriteStream, plainEveryMs = PLAIN_EVERY_MS): Progress => {
  let plainAt = performance.now() + plainEveryMs;
  return {
    show: (sentence) => {
      if (out.isTTY) {
        out.write(`${CLEAR_LINE}${sentence.slice(0, out.columns - 1)}`);
      } else if (performance.now() >= plainAt) {
        plainAt = performance.now() + plainEveryMs;
        out.write(`${sentence}\n`);
      }
    },
    print: (text) => {
      if (out.isTTY) out.write(CLEAR_LINE);
      out.write(`${text}\n`);
      plainAt = performance.now() + plainEveryMs;
    },
  };
};

const BAR_WIDTH = 24;

/** Work that is counted in events. */
export interface WorkDone {
  readonly done: number;
  readonly of: number;
  /** When this run started, and the work of earlier runs, which does not count for the rate. */
  readonly sinceMs: number;
  readonly doneBefore: number;
}

/** A bar with the share, the rate and the remaining time. */
export const progressLine = (
  what: string,
  { done, of, sinceMs, doneBefore }: WorkDone,
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
