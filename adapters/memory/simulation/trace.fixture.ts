/** What happened in a world, line by line: the same for the same seed. */
export interface Trace {
  /** @param who a process, a client, or the world itself */
  readonly note: (who: string, what: string) => void;
  readonly lines: ReadonlyArray<string>;
}

/** @param now the time since the world began, in milliseconds */
export const makeTrace = (now: () => number): Trace => {
  const lines: string[] = [];
  return {
    lines,
    note: (who, what) => {
      lines.push(`${(now() / 1_000).toFixed(3).padStart(8)} ${who.padEnd(9)} ${what}`);
    },
  };
};
