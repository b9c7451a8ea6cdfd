/** Where a run tells how it goes: one line that changes on a terminal, plain lines elsewhere. */
export interface Progress {
  /** Tells what goes on now. */
  readonly show: (sentence: string) => void;
  /** Prints lines that stay. */
  readonly print: (text: string) => void;
}

/** Where lines cannot change, one in so many milliseconds is enough. */
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
