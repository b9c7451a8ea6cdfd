import { makeTable } from "../shared/format.ts";
import type { Phases } from "./judge.ts";
import type { Result } from "./play.ts";
import { describeTally } from "./wire.ts";

const table = makeTable([
  ["attack", 16],
  ["posts", 11],
  ["p95 ms before / during / after", 30],
  ["summaries", 11],
  ["p95 ms before / during / after", 30],
  ["readyz", 7],
  ["healthz max", 11],
  ["revoked after", 13],
  ["memory", 15],
  ["", 4],
]);

/** The first two lines of the Markdown table. */
export const tableHead = table.head;

const okOf = ({ during }: Phases): string => `${during.ok}/${during.sent}`;

const p95Of = ({ before, during, after }: Phases): string =>
  [before, during, after]
    .map(({ p95Ms }) => (Number.isNaN(p95Ms) ? "?" : String(Math.round(p95Ms))))
    .join(" / ");

export const tableRow = ({ name, figures, failures, busy }: Result): string => {
  const { posts, reads, readyz, healthz, revokedAfterMs, processes } = figures;
  return table.row([
    name,
    okOf(posts),
    p95Of(posts),
    okOf(reads),
    p95Of(reads),
    okOf(readyz),
    `${Math.round(healthz.during.maxMs)} ms`,
    revokedAfterMs === undefined ? "never" : `${(revokedAfterMs / 1_000).toFixed(1)} s`,
    `${processes
      .map(({ residentMib }) => (residentMib === undefined ? "?" : String(Math.round(residentMib))))
      .join(" / ")} MiB`,
    failures.length > 0 ? "FAIL" : busy.length > 0 ? "busy" : "ok",
  ]);
};

/** The most broken promises that are printed. The JSON has all. */
const FAILURES_MAX = 12;

/** The lines below a row: broken promises, and what the attacker did. */
export const details = (result: Result): ReadonlyArray<string> => [
  ...result.failures.slice(0, FAILURES_MAX).map((failure) => `    FAIL ${failure}`),
  ...(result.failures.length > FAILURES_MAX
    ? [`    and ${result.failures.length - FAILURES_MAX} more`]
    : []),
  `    attacker: ${describeTally(result.tally)}`,
  ...(result.busy.length === 0 ? [] : [`    times were not judged: ${result.busy.join(", ")}`]),
  `    service: ${percent(result.processorShare)} of a processor, ready without one ${percent(result.waitingShare)} ` +
    `of the time; at most ${result.busySessionsMax} busy database sessions`,
];

const percent = (share: number): string => `${Math.round(share * 100)} %`;
