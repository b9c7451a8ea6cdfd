import { percentile } from "../bench/statistics.ts";

/** A request of an honest client, and what became of it. */
export interface Sample {
  /** When it was due, in milliseconds of `performance.now()`. */
  readonly dueAt: number;
  /** From when it was due until it was answered in full. */
  readonly tookMs: number;
  /** A status, or why there was none. */
  readonly answer: number | string;
}

/** The samples of a time. */
export interface SampleFigures {
  readonly sent: number;
  /** How many were answered with the status that they should be. */
  readonly ok: number;
  /** Of all of them, in milliseconds; NaN when there are none. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
  /** How often each other answer was seen. */
  readonly others: Readonly<Record<string, number>>;
}

/** What became of the requests that were due from `from` until before `to`. */
export const figuresOf = (
  samples: ReadonlyArray<Sample>,
  expected: number,
  from: number,
  to: number,
): SampleFigures => {
  const due = samples.filter(({ dueAt }) => from <= dueAt && dueAt < to);
  const took = due.map(({ tookMs }) => tookMs);
  const others: Record<string, number> = {};
  for (const { answer } of due) {
    if (answer !== expected) others[answer] = (others[answer] ?? 0) + 1;
  }
  return {
    sent: due.length,
    ok: due.filter(({ answer }) => answer === expected).length,
    p50Ms: percentile(took, 0.5),
    p95Ms: percentile(took, 0.95),
    maxMs: Math.max(...took, 0),
    others,
  };
};
