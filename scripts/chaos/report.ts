import { makeTable } from "../shared/format.ts";
import type { Result } from "./play.ts";

const table = makeTable([
  ["promise", 32],
  ["kills", 5],
  ["faults", 6],
  ["accepted", 9],
  ["lost", 4],
  ["duplicated", 10],
  ["differing", 9],
  ["longest outage", 14],
  ["recovery", 8],
  ["", 4],
]);

/** The first two lines of the Markdown table. */
export const tableHead = table.head;

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

export const tableRow = (result: Result): string =>
  table.row([
    result.name,
    String(result.kills),
    String(result.faults),
    String(result.accepted),
    ...[result.lost, result.duplicated, result.differing].map((n) =>
      result.judged ? `${n}` : "?",
    ),
    seconds(result.longestOutageMs),
    result.judged ? seconds(result.recoveryMs) : "?",
    result.failures.length === 0 ? "ok" : "FAIL",
  ]);

/** The lines below a row: failures and notes. */
export const details = ({ failures, notes }: Result): ReadonlyArray<string> => [
  ...failures.map((failure) => `    FAIL ${failure}`),
  ...notes.map((note) => `    ${note}`),
];

/** The last line of a run. */
export const totalLine = (results: ReadonlyArray<Result>): string => {
  const sum = (
    key: "kills" | "faults" | "accepted" | "lost" | "duplicated" | "differing",
  ): number => results.reduce((all, result) => all + result[key], 0);
  return (
    `total: kills ${sum("kills")}, other faults ${sum("faults")}, accepted ${sum("accepted")}, ` +
    `lost ${sum("lost")}, duplicated ${sum("duplicated")}, differing ${sum("differing")}`
  );
};
