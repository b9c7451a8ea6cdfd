import { present } from "../../core/invariant.ts";

/** The value that a share `p` (0 to 1) of the values is below. */
export const percentile = (values: ReadonlyArray<number>, p: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN;
};

export const median = (values: ReadonlyArray<number>): number => percentile(values, 0.5);

/** Each value divided by the one of the same run in `by`. */
export const ratios = (
  values: ReadonlyArray<number>,
  by: ReadonlyArray<number>,
): ReadonlyArray<number> =>
  values.map((value, i) => value / present(by[i], `run ${i} of the reference was measured`));

/** A number with a few significant digits. */
export const shown = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);

/** The p50 and the p99 of several rounds of reads, after one to warm up. */
export const percentiles = async (
  rounds: number,
  read: () => Promise<ReadonlyArray<number>>,
): Promise<{ readonly p50: ReadonlyArray<number>; readonly p99: ReadonlyArray<number> }> => {
  await read();
  const p50: number[] = [];
  const p99: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const latencies = await read();
    p50.push(percentile(latencies, 0.5));
    p99.push(percentile(latencies, 0.99));
  }
  return { p50, p99 };
};
