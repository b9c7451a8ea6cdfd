/** The value below which a share `p` (0 to 1) of the values lies. */
export const percentile = (values: ReadonlyArray<number>, p: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
};

export const median = (values: ReadonlyArray<number>): number => percentile(values, 0.5);

/** A number of a few significant digits, as a person reads it. */
export const shown = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
