/** A whole number with separated thousands. */
export const count = (value: number): string => Math.round(value).toLocaleString("en-US");

/** `1 event`, `2 events`. */
export const plural = (value: number, noun: string): string =>
  `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

const WITHOUT_DECIMAL_S = 10;

/** A measured time, in seconds: with tenths below ten seconds. */
export const elapsed = (seconds: number): string => {
  const tenths = seconds.toFixed(1);
  return Number(tenths) < WITHOUT_DECIMAL_S ? `${tenths} s` : duration(Math.round(seconds));
};

/** An estimated time, in seconds: `42 s`, `3 min 20 s`, `2 h 5 min`. */
export const duration = (seconds: number): string => {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};

/** A Markdown table that is printed row by row. */
export interface Table {
  /** The first two lines. */
  readonly head: () => string;
  readonly row: (cells: ReadonlyArray<string>) => string;
}

/** @param columns the name and width of each. The first is aligned left, the others right. */
export const makeTable = (columns: ReadonlyArray<readonly [string, number]>): Table => {
  const row = (cells: ReadonlyArray<string>): string => {
    const padded = columns.map(([, width], i) => {
      const cell = cells[i] ?? "";
      return i === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${padded.join(" | ")} |`;
  };
  const rule = columns.map(([, width], i) =>
    i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return {
    row,
    head: () => [row(columns.map(([name]) => name)), `| ${rule.join(" | ")} |`].join("\n"),
  };
};
