/** A Markdown table that is printed a row at a time and can be pasted as it is printed. */
export interface Table {
  /** The first two lines. */
  readonly head: () => string;
  readonly row: (cells: ReadonlyArray<string>) => string;
}

/** @param columns the name and width of each, in characters; the first is aligned left, and the others right */
export const makeTable = (columns: ReadonlyArray<readonly [string, number]>): Table => {
  const row = (cells: ReadonlyArray<string>): string =>
    `| ${cells
      .map((cell, i) =>
        i === 0 ? cell.padEnd(columns[i]?.[1] ?? 0) : cell.padStart(columns[i]?.[1] ?? 0),
      )
      .join(" | ")} |`;
  const rule = columns.map(([, width], i) =>
    i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return {
    row,
    head: () => [row(columns.map(([name]) => name)), `| ${rule.join(" | ")} |`].join("\n"),
  };
};
