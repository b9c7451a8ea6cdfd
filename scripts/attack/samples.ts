import { percentile } from "../bench/statistics.ts";

/** A request of an honest client, and its outcome. */
export interface Sample {
  /** When it was due, as `performance.now()`. */
  readonly dueAt: number;
  /** The time from when it was due until its answer was complete. */
  readonly tookMs: number;
  /** A status, or why there was none. */
  readonly answer: number | string;
}

/** The samples of one phase. */
export interface SampleFigures {
  readonly sent: number;
  /** How many got the expected status. */
  readonly ok: number;
  /** Percentiles of all requests, in milliseconds; NaN without requests. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
  /** The number of each other answer. */
  readonly others: Readonly<Record<string, number>>;
}

/** The figures of the requests that were due from `from` up to but not including `to`. */
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
